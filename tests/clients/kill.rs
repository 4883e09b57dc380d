//! CLIENT KILL and UNBLOCK, over all cores.

use crate::wire::{Client, on_one_and_four_shards};

#[test]
fn the_old_form_closes_the_client_with_that_address() {
    on_one_and_four_shards(&[], |server| {
        let mut killer = Client::to(server.addr());
        let mut others: Vec<Client> = (0..5).map(|_| Client::to(server.addr())).collect();
        killer.expect("CLIENT KILL 1.2.3.4:5", "-ERR No such client");
        for other in &mut others {
            other.expect("PING", "+PONG");
            killer.expect(&format!("CLIENT KILL {}", other.address()), "+OK");
            other.expect_end();
        }
        let own = killer.address();
        killer.expect(&format!("CLIENT KILL {own}"), "+OK");
        killer.expect_end();
    });
}

#[test]
fn the_new_form_counts_whom_it_closed_and_spares_the_caller() {
    on_one_and_four_shards(&[], |server| {
        let mut killer = Client::to(server.addr());
        let mut others: Vec<Client> = (0..6).map(|_| Client::to(server.addr())).collect();
        let ids: Vec<u64> = others.iter_mut().map(Client::id).collect();
        let own = killer.id();
        killer.expect(&format!("CLIENT KILL ID {} {} {own}", ids[0], ids[1]), ":2");
        killer.expect(&format!("CLIENT KILL ID {} ID {}", ids[2], ids[0]), ":1");
        others[3].expect("SELECT 3", "+OK");
        others[4].expect("CLIENT SETNAME bob", "+OK");
        killer.expect("CLIENT KILL NAME bob DB 3", ":0");
        killer.expect("CLIENT KILL DB 3", ":1");
        killer.expect("CLIENT KILL NAME bob", ":1");
        killer.expect("CLIENT KILL TYPE normal", ":1");
        others.iter_mut().for_each(Client::expect_end);
        killer.expect("CLIENT KILL TYPE normal SKIPME yes", ":0");
        killer.expect("CLIENT KILL TYPE normal SKIPME no", ":1");
        killer.expect_end();
    });
}

#[test]
fn not_forms_close_everybody_else() {
    on_one_and_four_shards(&[], |server| {
        let mut killer = Client::to(server.addr());
        let mut others: Vec<Client> = (0..4).map(|_| Client::to(server.addr())).collect();
        others.iter_mut().for_each(|other| other.expect("PING", "+PONG"));
        let spared = others[2].id();
        killer.expect(&format!("CLIENT KILL NOT-ID {spared}"), ":3");
        others[2].expect("PING", "+PONG");
    });
}

#[test]
fn a_transaction_that_kills_its_own_client_is_answered_first() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        let own = c.id();
        c.expect("MULTI", "+OK");
        c.expect("SET k 1", "+QUEUED");
        c.expect(&format!("CLIENT KILL ID {own} SKIPME no"), "+QUEUED");
        c.expect("EXEC", "*2\r\n+OK\r\n:1");
        c.expect_end();
        Client::to(server.addr()).expect("GET k", "$1\r\n1");
    });
}

#[test]
fn a_held_client_can_be_killed() {
    on_one_and_four_shards(&[], |server| {
        let (mut a, mut b) = (Client::to(server.addr()), Client::to(server.addr()));
        let id = b.id();
        a.expect("CLIENT PAUSE 100000 WRITE", "+OK");
        b.send("SET k 1");
        a.expect(&format!("CLIENT KILL ID {id}"), ":1");
        b.expect_end();
        a.expect("CLIENT UNPAUSE", "+OK");
        a.expect("GET k", "$-1");
    });
}

#[test]
fn nobody_is_blocked_so_nobody_is_unblocked() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        c.expect("CLIENT UNBLOCK 1", ":0");
        c.expect("CLIENT UNBLOCK 1 ERROR", ":0");
        c.expect("CLIENT UNBLOCK x", "-ERR value is not an integer or out of range");
        c.expect("CLIENT UNBLOCK 1 SOON", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    });
}

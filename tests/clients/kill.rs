//! CLIENT KILL and UNBLOCK, over all cores.

use crate::common::server::eventually;
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
fn who_is_not_blocked_is_not_unblocked() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        c.expect("CLIENT UNBLOCK 1", ":0");
        c.expect("CLIENT UNBLOCK 1 ERROR", ":0");
        c.expect("CLIENT UNBLOCK x", "-ERR value is not an integer or out of range");
        c.expect("CLIENT UNBLOCK 1 SOON", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    });
}

/// Waits until CLIENT LIST shows so many blocked clients.
fn await_blocked(c: &mut Client, count: usize) {
    eventually("clients are blocked", || c.ask("CLIENT LIST FLAGS b").matches("id=").count() == count);
}

#[test]
fn a_blocked_client_can_be_unblocked_in_two_ways_and_killed() {
    on_one_and_four_shards(&[], |server| {
        let mut admin = Client::to(server.addr());
        let mut waiting: Vec<Client> = (0..3).map(|_| Client::to(server.addr())).collect();
        let ids: Vec<u64> = waiting.iter_mut().map(Client::id).collect();
        waiting.iter_mut().for_each(|c| c.send("WAIT 1 0"));
        await_blocked(&mut admin, 3);
        admin.expect(&format!("CLIENT UNBLOCK -{}", ids[0]), ":0");
        admin.expect(&format!("CLIENT UNBLOCK {}", ids[0]), ":1");
        assert_eq!(waiting[0].read(), ":0\r\n");
        admin.expect(&format!("CLIENT UNBLOCK {} ERROR", ids[1]), ":1");
        assert_eq!(waiting[1].read(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
        waiting[1].expect("PING", "+PONG");
        admin.expect(&format!("CLIENT KILL ID {}", ids[2]), ":1");
        waiting[2].expect_end();
        await_blocked(&mut admin, 0);
        admin.expect(&format!("CLIENT UNBLOCK {}", ids[0]), ":0");
    });
}

#[test]
fn a_client_that_a_pause_holds_cannot_be_unblocked() {
    on_one_and_four_shards(&[], |server| {
        let (mut admin, mut held) = (Client::to(server.addr()), Client::to(server.addr()));
        let id = held.id();
        admin.expect("CLIENT PAUSE 100000 WRITE", "+OK");
        held.send("SET k 1");
        await_blocked(&mut admin, 1);
        admin.expect(&format!("CLIENT UNBLOCK {id}"), ":0");
        admin.expect("CLIENT UNPAUSE", "+OK");
        assert_eq!(held.read(), "+OK\r\n");
    });
}

//! Starting, answering, stopping.

use crate::common::{Server, request};

#[test]
fn a_server_answers_with_any_number_of_shards() {
    for shards in [1, 2, 4] {
        let server = Server::start(shards);
        let mut client = server.client();
        assert_eq!(client.say("PING"), "PONG");
        assert_eq!(client.say("SET a 1"), "OK");
        assert_eq!(client.say("MGET a b"), "[1 (nil)]");
        assert_eq!(client.say("INCR a"), ":2");
        assert!(client.say("INCR").is_error());
        client.assert_in_step();
    }
}

#[test]
fn sigterm_ends_it_in_an_orderly_way() {
    let mut server = Server::start(2);
    let mut client = server.client();
    assert_eq!(client.say("SET a 1"), "OK");
    assert!(server.stop().success());
    assert!(server.log().contains("bye bye"), "{}", server.log());
    assert_eq!(client.until_closed(), b"");
}

#[test]
fn a_port_that_is_taken_is_said() {
    let first = Server::start(1);
    let port = first.port.to_string();
    let Err(log) = Server::try_with(&["--shards", "1", "--port", &port]) else { panic!("it must not start") };
    assert!(log.contains("Address already in use"), "{log}");
}

#[test]
fn pipelines_are_answered_in_order() {
    let server = Server::start(2);
    let mut client = server.client();
    let requests: Vec<u8> = (0..1000).flat_map(|i| request(&["INCRBY", &format!("n{}", i % 7), &i.to_string()])).collect();
    let replies = client.pipeline(&requests, 1000);
    let mut sums = [0; 7];
    for (i, reply) in replies.iter().enumerate() {
        sums[i % 7] += i;
        assert_eq!(*reply, format!(":{}", sums[i % 7]));
    }
}

//! What took long: LATENCY, INFO latencystats.

use crate::everywhere;

#[test]
fn the_monitor_sees_what_passes_its_threshold() {
    everywhere(&["--enable-debug-command", "yes"], |server| {
        let mut c = server.client();
        c.say("DEBUG SLEEP 0.02");
        assert_eq!(c.say("LATENCY LATEST"), "[]");
        assert!(c.say("LATENCY DOCTOR").text().contains("latency-monitor-threshold"));
        c.say("CONFIG SET latency-monitor-threshold 15");
        for _ in 0..2 {
            c.say("DEBUG SLEEP 0.02");
        }
        let latest = c.say("LATENCY LATEST");
        assert_eq!(latest.array().len(), 1);
        let event = latest.array()[0].array();
        assert_eq!((event[0].text(), event.len()), ("command".to_owned(), 6));
        assert!(event[3].int() >= 20 && event[4].int() >= 40 && event[5].int() == 2, "{latest:?}");
        let history = c.say("LATENCY HISTORY command");
        assert!(history.array().iter().all(|sample| sample.array()[1].int() >= 20));
        assert_eq!(c.say("LATENCY HISTORY nosuch"), "[]");
        assert!(c.say("LATENCY GRAPH command").text().starts_with("command - high "));
        assert_eq!(c.say("LATENCY GRAPH nosuch"), "-ERR No samples available for event 'nosuch'");
        assert!(c.say("LATENCY DOCTOR").text().contains("1. command: "));
        assert_eq!(c.say("LATENCY RESET nosuch fork"), ":0");
        assert_eq!(c.say("LATENCY RESET command"), ":1");
        assert_eq!(c.say("LATENCY LATEST"), "[]");
        assert_eq!(c.say("LATENCY NOSUCH"), "-ERR unknown subcommand 'NOSUCH'. Try LATENCY HELP.");
    });
}

#[test]
fn a_sleep_inside_an_exec_is_noted_once_with_its_whole_time() {
    everywhere(&["--enable-debug-command", "yes", "--latency-monitor-threshold", "15"], |server| {
        let mut c = server.client();
        for call in ["MULTI", "SET k v", "DEBUG SLEEP 0.02", "GET k"] {
            c.say(call);
        }
        let replies = c.say("EXEC");
        assert_eq!(replies.array().iter().map(|r| r.text()).collect::<Vec<_>>(), ["OK", "OK", "v"]);
        let latest = c.say("LATENCY LATEST");
        let command = latest.array().iter().find(|event| event.array()[0] == "command").expect("it took long");
        assert!(command.array()[2].int() >= 20 && command.array()[5].int() == 1, "{latest:?}");
        assert_eq!(c.say("PING"), "PONG");
    });
}

#[test]
fn every_call_is_in_its_histogram() {
    everywhere(&[], |server| {
        let mut clients: Vec<_> = (0..4).map(|_| server.client()).collect();
        for i in 0..50 {
            for c in &mut clients {
                c.say(&format!("SET key{i} 1"));
                c.say("CLIENT ID");
            }
        }
        let c = &mut clients[0];
        let all = c.say("LATENCY HISTOGRAM set client nosuch");
        let all = all.array();
        assert_eq!(all.len(), 4, "{all:?}");
        assert_eq!((all[0].text(), all[2].text()), ("set".to_owned(), "client|id".to_owned()));
        for histogram in [&all[1], &all[3]] {
            let [_, calls, _, steps] = histogram.array() else { panic!("{histogram:?}") };
            assert_eq!(calls.int(), 200);
            let counts: Vec<i64> = steps.array().chunks(2).map(|step| step[1].int()).collect();
            assert!(counts.is_sorted() && counts.last() == Some(&200), "{counts:?}");
        }
        let info = c.say("INFO latencystats").text();
        let line = info.lines().find(|line| line.starts_with("latency_percentiles_usec_set:p50=")).unwrap();
        assert!(line.contains(",p99=") && line.contains(",p99.9="), "{line}");
        c.call(&["CONFIG", "SET", "latency-tracking-info-percentiles", "0 100 37.5"]);
        let info = c.say("INFO latencystats").text();
        assert!(info.lines().any(|line| line.starts_with("latency_percentiles_usec_client|id:p0=") && line.contains(",p37.5=")));
        c.say("CONFIG SET latency-tracking no");
        assert_eq!(c.say("INFO latencystats").text(), "# Latencystats\r\n");
        c.say("CONFIG RESETSTAT");
        assert_eq!(c.say("LATENCY HISTOGRAM set"), "[]");
    });
}

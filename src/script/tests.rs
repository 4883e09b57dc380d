//! The machine without a server: calls are answered by a small script of replies.

use super::exchange::Code;
use super::stack::{Order, Stack, Wish};
use super::text::{Script, sha_of};
use shards::reply::Resp;
use std::sync::Arc;

/// Runs a script whose calls answer themselves: the arguments joined by blanks as a status.
fn eval(stack: &mut Stack, body: &str) -> String {
    let script = match Script::new(body.as_bytes(), sha_of(body.as_bytes())) {
        Ok(script) => script,
        Err(error) => return error,
    };
    {
        let mut exchange = stack.exchange();
        exchange.code = Some(Code::Script(Arc::new(script)));
        exchange.set_args([&b"k1"[..], b"k2", b"a1"].into_iter());
        exchange.keys = 2;
        exchange.resp = Resp::V2;
        exchange.client_resp = Resp::V3;
        exchange.stop_text = "Script killed by user with SCRIPT KILL.";
    }
    let mut order = Order::Start;
    let mut ticks = 0;
    loop {
        match stack.resume(order) {
            Wish::Call => {
                let mut exchange = stack.exchange();
                let words: Vec<&[u8]> = exchange.args().iter().collect();
                let reply = match words[0] {
                    b"fail" => b"-WRONG it failed\r\n".to_vec(),
                    _ => [b"+", &*words.join(&b' '), b"\r\n"].concat(),
                };
                exchange.reply = reply;
                order = Order::GoOn;
            }
            Wish::Tick => {
                ticks += 1;
                order = if ticks > 3 { Order::Stop } else { Order::GoOn };
            }
            Wish::MayCall => order = Order::GoOn,
            Wish::Done => return String::from_utf8_lossy(&stack.exchange().reply).into_owned(),
        }
    }
}

fn once(body: &str) -> String {
    eval(&mut Stack::new(false), body)
}

#[test]
fn values_become_replies() {
    assert_eq!(once("return 1.9"), ":1\r\n");
    assert_eq!(once("return {KEYS[1], #KEYS, ARGV[1], false, true}"), "*5\r\n$2\r\nk1\r\n:2\r\n$2\r\na1\r\n_\r\n:1\r\n");
    assert_eq!(once("return {1, nil, 3}"), "*1\r\n:1\r\n");
    assert_eq!(once("return {ok='x'}"), "+x\r\n");
    assert_eq!(once("return redis.status_reply('fine')"), "+fine\r\n");
    assert_eq!(once("return redis.error_reply('My Err')"), "-My Err\r\n");
    assert_eq!(once("return {double=3.5}"), ",3.5\r\n");
    assert_eq!(once("redis.setresp(3) return true"), "#t\r\n");
    assert_eq!(once("return {map={a=1}}"), "%1\r\n$1\r\na\r\n:1\r\n");
    assert_eq!(once("return redis.call('set', 'a', 1, 1.5)"), "+set a 1 1.5\r\n");
}

#[test]
fn errors_say_where_they_were() {
    assert_eq!(once("error('boom')"), "-ERR user_script:1: boom script: on @user_script:1.\r\n");
    assert_eq!(once("\nreturn redis.call('fail')"), "-WRONG it failed script: on @user_script:2.\r\n");
    assert_eq!(once("return redis.pcall('fail')"), "-WRONG it failed\r\n");
    assert_eq!(once("return foo"), "-ERR user_script:1: Script attempted to access nonexistent global variable 'foo' script: on @user_script:1.\r\n");
    assert_eq!(once("return redis.call()"), "-ERR Please specify at least one argument for this call script: on @user_script:1.\r\n");
    assert_eq!(once("bad syn"), "-ERR Error compiling script (new function): user_script:1: '=' expected near 'syn'\r\n");
    assert_eq!(once("error({err='X y'})"), "-X y script: on @user_script:1.\r\n");
    assert_eq!(once("error()"), "-ERR nil script: on @user_script:1.\r\n");
    assert_eq!(once("local ok, e = pcall(redis.call, 'fail') return e"), "$15\r\nWRONG it failed\r\n");
    assert_eq!(once("return redis.sha1hex('')"), "$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n");
}

#[test]
fn nothing_shared_can_be_changed() {
    let refused = "-ERR user_script:1: Attempt to modify a readonly table script: on @user_script:1.\r\n";
    for code in ["foo = 1", "redis.call = 1", "string.len = 1", "getmetatable(_G).__index = 1", "getmetatable('').__index = 1", "_G.x = 1", "setmetatable(_G, {})", "cjson.x = 1"] {
        assert_eq!(once(code).replace("ERR Attempt", "ERR user_script:1: Attempt"), refused, "{code}");
    }
    assert_eq!(once("rawset(redis, 'a', 1)"), "-ERR Attempt to modify a readonly table script: on @user_script:1.\r\n");
    let mut stack = Stack::new(false);
    eval(&mut stack, "for k, v in pairs(redis) do end local f, t = pairs(string) t.len = 1 table.insert(redis, 1) table.insert(_G, 'x')");
    assert_eq!(eval(&mut stack, "return {redis[1], type(string.len), rawget(_G, 1)}"), "*0\r\n");
    assert_eq!(eval(&mut stack, "return ('abc'):len()"), ":3\r\n");
    for name in ["print", "dofile", "loadfile", "require", "io", "debug", "package", "module", "setfenv", "getfenv", "newproxy"] {
        assert!(eval(&mut stack, &format!("return {name}")).contains("nonexistent global"), "{name}");
    }
    assert!(eval(&mut stack, "return os.time()").contains("attempt to call field 'time' (a nil value)"));
}

#[test]
fn bytecode_is_refused() {
    assert_eq!(once("return loadstring(string.dump(function() return 7 end))"), "_\r\n");
    assert_eq!(once("return loadstring('return 7')()"), ":7\r\n");
    assert!(once("loadstring('x = 1')()").contains("readonly"));
    assert!(once("return loadstring('return os.exit')()").starts_with('_'));
}

#[test]
fn a_stopped_script_cannot_catch_it() {
    let killed = "-ERR Script killed by user with SCRIPT KILL.";
    assert!(once("while true do end").starts_with(killed));
    assert!(once("while true do pcall(function() while true do end end) end").starts_with(killed));
    assert!(once("local f = function() while true do end end while true do coroutine.resume(coroutine.create(f)) end").starts_with(killed));
    let mut stack = Stack::new(false);
    assert!(eval(&mut stack, "while true do end").starts_with(killed));
    assert_eq!(eval(&mut stack, "return 5"), ":5\r\n", "the machine lives on");
}

#[test]
fn calls_work_wherever_lua_stands() {
    assert_eq!(once("local t = {3, 1, 2} table.sort(t, function(a, b) redis.call('x') return a < b end) return t"), "*3\r\n:1\r\n:2\r\n:3\r\n");
    assert_eq!(once("return (string.gsub('abc', '.', function(c) return redis.call('x', c).ok .. ';' end))"), "$12\r\nx a;x b;x c;\r\n");
    assert_eq!(once("local co = coroutine.wrap(function() coroutine.yield(redis.call('a')) return redis.call('b') end) return {co(), co()}"), "*2\r\n+a\r\n+b\r\n");
    assert!(once("coroutine.wrap(function() redis.call('fail') end)()").starts_with("-WRONG it failed"));
}

#[test]
fn hostile_code_ends_in_errors() {
    assert!(once("local function f() return f() + 1 end return f()").contains("stack overflow"));
    for range in ["1, 1e9", "-2, 2147483647", "0, 2147483647", "-2147483648, -2", "4294967294, 2^53", "0/0, 2147483647", "-1/0", "-2147483648"] {
        let reply = once(&format!("return {{unpack({{1, 2, 3}}, {range})}}"));
        assert!(reply.contains("too many results to unpack"), "{range}: {reply}");
    }
    assert_eq!(once("return {unpack({1, 2, 3}, 1, -1)}"), "*0\r\n");
    assert_eq!(once("return select('#', unpack({1, 2, 3}, -2147483648, -2147483646))"), ":3\r\n");
    assert_eq!(once("return {unpack({1, 2, 3}, 2)}"), "*2\r\n:2\r\n:3\r\n");
    assert!(once("return unpack(7)").contains("table expected, got number"));
    let deep = "local t = {} for i = 1, 5000 do t = {t} end return cjson.encode(t)";
    assert!(once(deep).contains("excessive nesting (1001)"), "{}", once(deep));
    assert!(once("return cjson.decode(string.rep('[', 100000))").contains("too many nested data structures (1001)"));
    assert!(once("local t = {} t[1] = t return cmsgpack.pack(t)").starts_with('$'));
    assert!(once("local a = {} local b = {a} a[1] = b return a").contains("-ERR reached lua stack limit"));
    assert!(once("return cmsgpack.unpack(string.rep('\\145', 100000))").starts_with("-ERR"));
    assert!(once("return string.rep('x', -1)").starts_with("$0"));
}

#[test]
fn json_agrees_with_the_library() {
    assert_eq!(once("return cjson.encode({[3]=1})"), "$13\r\n[null,null,1]\r\n");
    assert_eq!(once("return cjson.encode('/\\127')"), "$10\r\n\"\\/\\u007f\"\r\n");
    assert_eq!(once("return cjson.encode({})"), "$2\r\n{}\r\n");
    assert!(once("return cjson.encode({[1]=1,[20]=2})").contains("Cannot serialise table: excessively sparse array"));
    assert!(once("return cjson.decode('{')").contains("Expected object key string but found T_END at character 2"));
    assert!(once("return cjson.encode(function() end)").contains("Cannot serialise function: type not supported"));
    assert!(once("return cjson.encode({1/0})").contains("Cannot serialise number: must not be NaN or Inf"));
    assert_eq!(once("local t = cjson.decode('[1,null,{\"a\":[true]}]') return {t[1], t[2] == cjson.null, tostring(t[3].a[1])}"), "*3\r\n:1\r\n:1\r\n$4\r\ntrue\r\n");
}

#[test]
fn structs_and_messages_go_round() {
    assert_eq!(once("return {struct.unpack('>I2h', struct.pack('>I2h', 513, -2))}"), "*3\r\n:513\r\n:-2\r\n:5\r\n");
    assert!(once("return struct.pack('z')").contains("bad argument #1 to 'pack' (invalid format option 'z')"));
    assert!(once("return struct.unpack('I', 'a')").contains("bad argument #2 to 'unpack' (data string too short)"));
    assert!(once("return struct.pack('>i99', 1)").contains("integral size 99 is larger than limit of 32"));
    assert!(once("return cmsgpack.unpack('\\147')").contains("Missing bytes in input."));
    assert!(once("return cmsgpack.pack()").contains("bad argument #0 to 'pack' (MessagePack pack needs input.)"));
    assert_eq!(once("return cmsgpack.unpack(cmsgpack.pack({1, 'a', {b=-300}}))[3].b"), ":-300\r\n");
    assert_eq!(once("return {bit.tohex(255, 4), bit.tohex(255, -2), bit.band(-1, 255), bit.lshift(1, 31)}"), "*4\r\n$4\r\n00ff\r\n$2\r\nFF\r\n:255\r\n:-2147483648\r\n");
    assert!(once("return bit.band()").contains("bad argument #1 to 'band' (number expected, got no value)"));
}

//! `redis.*`, also known as `server.*`.

use super::error::{error_table, fail_reply};
use super::exchange::Shared;
use super::replies;
use super::stack::{Order, Switch, Wish};
use super::text::sha_of;
use crate::identity::{REDIS_VERSION, VALKEY_VERSION};
use mlua::{Error, HookTriggers, Lua, MultiValue, Result, Table, Value, VmState};
use shards::reply::Resp;
use shards::stdx::number::{write_f64, write_i64};
use std::cell::Cell;
use std::rc::Rc;

/// Instructions between two ticks, as in Valkey.
const TICK_INSTRUCTIONS: u32 = 100_000;
/// Levels of `log`.
const LEVELS: &[(&str, i64)] = &[("LOG_DEBUG", 0), ("LOG_VERBOSE", 1), ("LOG_NOTICE", 2), ("LOG_WARNING", 3)];
/// What `set_repl` takes.
const PROPAGATION: &[(&str, i64)] =
    &[("REPL_NONE", 0), ("REPL_AOF", 1), ("REPL_SLAVE", 2), ("REPL_REPLICA", 2), ("REPL_ALL", 3)];

/// The core, as the machine's functions reach it.
pub struct Host {
    switch: Switch,
    /// What is handed to and fro.
    pub exchange: Shared,
    /// The running script was told to stop: whatever it does next fails.
    stopping: Cell<bool>,
}

impl Host {
    /// A host on this switch.
    pub fn new(switch: Switch, exchange: Shared) -> Rc<Host> {
        Rc::new(Host { switch, exchange, stopping: Cell::new(false) })
    }

    fn ask(self: &Rc<Self>, lua: &Lua, wish: Wish) -> Result<()> {
        if !self.stopping.get() && self.switch.ask(wish) == Order::GoOn {
            return Ok(());
        }
        if !self.stopping.replace(true) {
            // From now on every line fails, so no `pcall` in a loop can hold out.
            self.hook(lua, HookTriggers::new().every_line().every_nth_instruction(TICK_INSTRUCTIONS))?;
        }
        Err(self.stop_error())
    }

    fn stop_error(&self) -> Error {
        fail_reply(format!("ERR {}", self.exchange.borrow().stop_text))
    }

    fn hook(self: &Rc<Self>, lua: &Lua, triggers: HookTriggers) -> Result<()> {
        let host = Rc::clone(self);
        lua.set_global_hook(triggers, move |lua, _| {
            if host.stopping.get() {
                return Err(host.stop_error());
            }
            host.ask(lua, Wish::Tick).map(|()| VmState::Continue)
        })
    }

    /// Ticks from now on; the last script, if it was stopped, is forgotten.
    pub fn arm(self: &Rc<Self>, lua: &Lua) -> Result<()> {
        self.stopping.set(false);
        self.hook(lua, HookTriggers::new().every_nth_instruction(TICK_INSTRUCTIONS))
    }

    /// True if the last script was told to stop.
    pub fn was_stopped(&self) -> bool {
        self.stopping.get()
    }
}

/// The table as scripts see it.
pub fn for_scripts(lua: &Lua, host: &Rc<Host>) -> Result<Table> {
    let table = for_functions(lua, host)?;
    table.raw_set("breakpoint", lua.create_function(|_, _: MultiValue| Ok(false))?)?;
    table.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    table.raw_set("replicate_commands", lua.create_function(|_, _: MultiValue| Ok(true))?)?;
    Ok(table)
}

/// The table as functions of libraries see it.
pub fn for_functions(lua: &Lua, host: &Rc<Host>) -> Result<Table> {
    let table = lua.create_table()?;
    for (name, raises) in [("call", true), ("pcall", false)] {
        let host = Rc::clone(host);
        table.raw_set(name, lua.create_function(move |lua, args: MultiValue| call(lua, &host, &args, raises))?)?;
    }
    common(lua, &table)?;
    let of = Rc::clone(host);
    table.raw_set("acl_check_cmd", lua.create_function(move |lua, args: MultiValue| may_call(lua, &of, &args))?)?;
    let of = Rc::clone(host);
    table.raw_set("setresp", lua.create_function(move |lua, args: MultiValue| set_resp(lua, &of, &args))?)?;
    let of = Rc::clone(host);
    table.raw_set("set_repl", lua.create_function(move |lua, args: MultiValue| set_repl(lua, &of, &args))?)?;
    table.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    table.raw_set("error_reply", lua.create_function(error_reply)?)?;
    table.raw_set("status_reply", lua.create_function(status_reply)?)?;
    for (name, value) in PROPAGATION {
        table.raw_set(*name, *value)?;
    }
    Ok(table)
}

/// What there is while a library loads, too.
pub fn common(lua: &Lua, table: &Table) -> Result<()> {
    table.raw_set("log", lua.create_function(log)?)?;
    for (name, value) in LEVELS {
        table.raw_set(*name, *value)?;
    }
    table.raw_set("REDIS_VERSION", REDIS_VERSION)?;
    table.raw_set("REDIS_VERSION_NUM", version_number(REDIS_VERSION))?;
    table.raw_set("VALKEY_VERSION", VALKEY_VERSION)?;
    table.raw_set("VALKEY_VERSION_NUM", version_number(VALKEY_VERSION))?;
    table.raw_set("SERVER_NAME", "valkey")
}

fn version_number(version: &str) -> i64 {
    version.split('.').fold(0, |sum, part| sum << 8 | part.parse::<i64>().unwrap_or(0))
}

/// Puts arguments of Lua into the exchange.
fn put_args(host: &Host, args: &MultiValue) -> Result<()> {
    if args.is_empty() {
        return Err(fail_reply("ERR Please specify at least one argument for this call"));
    }
    let mut exchange = host.exchange.borrow_mut();
    exchange.set_args(std::iter::empty());
    let mut text = Vec::new();
    for arg in args {
        match arg {
            Value::String(s) => exchange.push_arg(&s.as_bytes()),
            Value::Integer(n) => {
                text.clear();
                write_i64(&mut text, *n);
                exchange.push_arg(&text);
            }
            Value::Number(n) => {
                text.clear();
                write_f64(&mut text, *n);
                exchange.push_arg(&text);
            }
            _ => return Err(fail_reply("ERR Command arguments must be strings or integers")),
        }
    }
    Ok(())
}

fn call(lua: &Lua, host: &Rc<Host>, args: &MultiValue, raises: bool) -> Result<Value> {
    if let Err(error) = put_args(host, args) {
        return if raises { Err(error) } else { super::error::caught(lua, Value::Error(Box::new(error))) };
    }
    host.ask(lua, Wish::Call)?;
    let exchange = host.exchange.borrow();
    if raises && exchange.reply.first() == Some(&b'-') {
        let line = exchange.reply[1..].strip_suffix(b"\r\n").unwrap_or(&exchange.reply[1..]);
        let text = replies::error_text(line);
        return Err(Error::external(super::error::ScriptError::Reply { text, counted: true }));
    }
    replies::to_lua(lua, &exchange.reply, &mut 0)
}

fn may_call(lua: &Lua, host: &Rc<Host>, args: &MultiValue) -> Result<bool> {
    put_args(host, args)?;
    host.ask(lua, Wish::MayCall)?;
    let exchange = host.exchange.borrow();
    if exchange.failed {
        return Err(fail_reply("ERR Invalid command passed to server.acl_check_cmd()"));
    }
    Ok(exchange.allowed)
}

fn one<'a>(args: &'a MultiValue, text: &str) -> Result<&'a Value> {
    if args.len() == 1 { Ok(&args[0]) } else { Err(fail_reply(text.to_owned())) }
}

/// A number as `lua_tonumber` sees it: 0 if it is none.
fn lenient_int(lua: &Lua, value: &Value) -> i64 {
    lua.coerce_number(value.clone()).ok().flatten().unwrap_or(0.0) as i64
}

fn set_resp(lua: &Lua, host: &Rc<Host>, args: &MultiValue) -> Result<()> {
    let arg = one(args, "ERR server.setresp() requires one argument.")?;
    host.exchange.borrow_mut().resp = match lenient_int(lua, arg) {
        2 => Resp::V2,
        3 => Resp::V3,
        _ => return Err(fail_reply("ERR RESP version must be 2 or 3.")),
    };
    Ok(())
}

fn set_repl(lua: &Lua, host: &Rc<Host>, args: &MultiValue) -> Result<()> {
    let arg = one(args, "ERR server.set_repl() requires one argument.")?;
    match u8::try_from(lenient_int(lua, arg)) {
        Ok(bits @ 0..=3) => host.exchange.borrow_mut().propagate = bits,
        _ => {
            let text = "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
            return Err(fail_reply(text));
        }
    }
    Ok(())
}

fn sha1hex(lua: &Lua, args: MultiValue) -> Result<Value> {
    let arg = one(&args, "ERR wrong number of arguments")?;
    let text = lua.coerce_string(arg.clone())?;
    let sha = text.map_or_else(|| sha_of(b""), |s| sha_of(&s.as_bytes()));
    Ok(Value::String(lua.create_string(sha)?))
}

fn only_text(args: &MultiValue) -> Option<&mlua::LuaString> {
    match args.front() {
        Some(Value::String(s)) if args.len() == 1 => Some(s),
        _ => None,
    }
}

fn error_reply(lua: &Lua, args: MultiValue) -> Result<Table> {
    let Some(text) = only_text(&args) else { return wrong_arguments(lua) };
    let text = text.as_bytes();
    let text = text.strip_prefix(b"-").unwrap_or(&text);
    // The code may be given with or without its dash; without a code it is an ERR.
    let Some(space) = text.iter().position(|b| *b == b' ') else {
        return error_table(lua, &[b"ERR ", text].concat(), false);
    };
    let trimmed = trim(&text[space + 1..]);
    error_table(lua, &[&text[..=space], trimmed].concat(), false)
}

fn trim(text: &[u8]) -> &[u8] {
    let is_end = |b: &u8| matches!(b, b'\r' | b'\n');
    let start = text.iter().position(|b| !is_end(b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !is_end(b)).map_or(start, |last| last + 1);
    &text[start..end]
}

fn status_reply(lua: &Lua, args: MultiValue) -> Result<Table> {
    let Some(text) = only_text(&args) else { return wrong_arguments(lua) };
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set("ok", text)?;
    Ok(table)
}

fn wrong_arguments(lua: &Lua) -> Result<Table> {
    error_table(lua, b"ERR wrong number or type of arguments", false)
}

fn log(lua: &Lua, args: MultiValue) -> Result<()> {
    if args.len() < 2 {
        return Err(fail_reply("ERR server.log() requires two arguments or more."));
    }
    let Some(level) = lua.coerce_number(args[0].clone())? else {
        return Err(fail_reply("ERR First argument must be a number (log level)."));
    };
    let mut text = String::new();
    for arg in args.iter().skip(1) {
        if let Some(part) = lua.coerce_string(arg.clone())? {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&part.to_string_lossy());
        }
    }
    match level as i64 {
        0 => tracing::debug!("<lua> {text}"),
        1 | 2 => tracing::info!("<lua> {text}"),
        3 => tracing::warn!("<lua> {text}"),
        _ => return Err(fail_reply("ERR Invalid log level.")),
    }
    Ok(())
}

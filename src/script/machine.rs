//! The machine: takes a job, runs it in Lua, leaves its reply.
//!
//! It lives on a stack of its own ([`super::stack`]); everything here is plain code that now and then asks its host.
//! Code is compiled once and kept while its script or library is known.
//!
//! What is kept lies in tables of Lua's: Lua 5.1 has room for 8,000 values that Rust holds by hand, and a running script
//! needs them for its arguments.

use super::error::plain;
use super::exchange::{Code, Exchange, Shared};
use super::library::{Collector, Library};
use super::replies::Writer;
use super::sandbox::{self, Sandbox};
use super::server_table::{self, Host};
use super::stack::{Order, Switch, Wish};
use super::text::Script;
use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaString, Result, Table, Value};
use shards::reply::{Reply, Resp};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Compiled scripts kept before those that are known no more are thrown out.
const SWEEP_AT: usize = 768;

/// Compiled scripts kept at most.
const KEPT_MAX: usize = 1024;

struct Compiled {
    script: Arc<Script>,
    writes_fronts: bool,
}

struct Machine {
    lua: Lua,
    host: Rc<Host>,
    sandbox: Sandbox,
    collector: Rc<Collector>,
    bind: Function,
    scripts: HashMap<u64, Compiled>,
    /// From a script's number to its function.
    script_functions: Table,
    libraries: HashMap<u64, Arc<Library>>,
    /// From a library's number to the list of its functions.
    library_functions: Table,
}

/// Lives until there are no more jobs.
pub fn live(switch: &Switch, exchange: &Shared, insecure: bool) {
    let host = Host::new(switch.clone(), Rc::clone(exchange));
    let mut machine = Machine::new(host, insecure).expect("the sandbox can be built");
    loop {
        machine.host.exchange.borrow_mut().used_bytes = machine.lua.used_memory();
        match switch.ask(Wish::Done) {
            Order::Start => machine.run(),
            Order::End => return,
            Order::GoOn | Order::Stop => {}
        }
    }
}

impl Machine {
    fn new(host: Rc<Host>, insecure: bool) -> Result<Machine> {
        let lua = sandbox::bare(insecure);
        let collector = Rc::new(Collector::default());
        let while_loading = lua.create_table()?;
        server_table::common(&lua, &while_loading)?;
        collector.install(&lua, &while_loading)?;
        let tables =
            [server_table::for_scripts(&lua, &host)?, server_table::for_functions(&lua, &host)?, while_loading];
        let bind = "return function(f, keys, args) return function() return f(keys, args) end end";
        let bind: Function = lua.load(bind).set_name("=ringkey").eval()?;
        let sandbox = sandbox::build(&lua, tables, insecure)?;
        host.arm(&lua)?;
        let (script_functions, library_functions) = (lua.create_table()?, lua.create_table()?);
        let (scripts, libraries) = (HashMap::new(), HashMap::new());
        Ok(Machine { lua, host, sandbox, collector, bind, scripts, script_functions, libraries, library_functions })
    }

    fn run(&mut self) {
        let code = self.host.exchange.borrow_mut().code.take().expect("a job has its code");
        let outcome = match code {
            Code::Script(script) => self.run_script(&script),
            Code::Function(library, at) => self.run_function(&library, at),
            // What is only tried is not kept: the library that is known in the end is another.
            Code::Load(library) => self.load(&library).and_then(|()| self.forget_library(library.id)),
            Code::Compile(script) => self.compiled(&script).map(|_| ()),
        };
        if let Err(text) = outcome {
            let mut exchange = self.host.exchange.borrow_mut();
            exchange.reply.clear();
            exchange.failed = true;
            Reply::new(&mut exchange.reply, Resp::V2).error(&text);
        }
        if self.host.was_stopped() {
            self.host.arm(&self.lua).expect("a hook can be set");
        }
    }

    /// The function of a script.
    fn compiled(&mut self, script: &Arc<Script>) -> std::result::Result<Function, String> {
        let of_lua = |error: mlua::Error| plain(&error);
        if self.scripts.contains_key(&script.id) {
            return self.script_functions.raw_get(script.id).map_err(of_lua);
        }
        if self.scripts.len() >= SWEEP_AT {
            self.sweep_scripts().map_err(of_lua)?;
        }
        let function = self
            .compile(script.code(), "@user_script", None)
            .map_err(|text| format!("ERR Error compiling script (new function): {text}"))?;
        let writes_fronts = sandbox::may_write_fronts(script.code());
        self.script_functions.raw_set(script.id, &function).map_err(of_lua)?;
        self.scripts.insert(script.id, Compiled { script: Arc::clone(script), writes_fronts });
        Ok(function)
    }

    /// Throws out the scripts that are known no more; all, if there are still too many: what is wanted is compiled again.
    fn sweep_scripts(&mut self) -> Result<()> {
        let gone = |kept: &Compiled| kept.script.gone.load(Ordering::Relaxed);
        for (id, _) in self.scripts.extract_if(|_, kept| gone(kept)) {
            self.script_functions.raw_set(id, Value::Nil)?;
        }
        if self.scripts.len() >= KEPT_MAX {
            self.scripts.clear();
            self.script_functions.clear()?;
        }
        Ok(())
    }

    fn forget_library(&mut self, id: u64) -> std::result::Result<(), String> {
        self.libraries.remove(&id);
        self.library_functions.raw_set(id, Value::Nil).map_err(|error| plain(&error))
    }

    fn compile(&self, code: &[u8], name: &str, env: Option<&Table>) -> std::result::Result<Function, String> {
        if code.first() == Some(&0x1b) {
            return Err("bytecode cannot be loaded".to_owned());
        }
        let mut chunk = self.lua.load(code).set_name(name).set_mode(ChunkMode::Text);
        if let Some(env) = env {
            chunk = chunk.set_environment(env.clone());
        }
        chunk.into_function().map_err(|error| plain(&error))
    }

    fn run_script(&mut self, script: &Arc<Script>) -> std::result::Result<(), String> {
        let function = self.compiled(script)?;
        let writes_fronts = self.scripts[&script.id].writes_fronts;
        self.reported(|machine| {
            let (keys, args) = machine.arguments()?;
            machine.sandbox.script_globals.raw_set("KEYS", keys)?;
            machine.sandbox.script_globals.raw_set("ARGV", args)?;
            machine.call(function)?;
            if writes_fronts { machine.sandbox.sweep() } else { Ok(()) }
        })
    }

    fn run_function(&mut self, library: &Arc<Library>, at: usize) -> std::result::Result<(), String> {
        if !self.libraries.contains_key(&library.id) {
            self.load(library)?;
        }
        self.reported(|machine| {
            let functions: Table = machine.library_functions.raw_get(library.id)?;
            let function: Function = functions.raw_get(at + 1)?;
            let (keys, args) = machine.arguments()?;
            let bound: Function = machine.bind.call((function, keys, args))?;
            machine.call(bound)?;
            machine.sandbox.sweep()
        })
    }

    /// Does it; an error of Lua itself (no memory, a broken handler) becomes a text.
    fn reported(&mut self, job: impl FnOnce(&mut Machine) -> Result<()>) -> std::result::Result<(), String> {
        job(self).map_err(|error| {
            let text: String = plain(&error).chars().take(100).collect();
            format!("ERR Error running script, {text}")
        })
    }

    /// Keys and arguments of the job as tables.
    fn arguments(&self) -> Result<(Table, Table)> {
        let exchange = self.host.exchange.borrow();
        let args = exchange.args();
        let table = |from: usize, to: usize| {
            let table = self.lua.create_table_with_capacity(to - from, 0)?;
            for i in from..to {
                table.raw_set(i - from + 1, LuaString::wrap(args.get(i)))?;
            }
            Ok::<Table, mlua::Error>(table)
        };
        Ok((table(0, exchange.keys)?, table(exchange.keys, args.len())?))
    }

    /// Calls a function without arguments and writes what it returns, or its error.
    fn call(&self, function: Function) -> Result<()> {
        let (ok, value): (bool, Value) = self.sandbox.xpcall.call((function, &self.sandbox.handler))?;
        // A script that was stopped has ended: what tidies up after it is Lua too, and must run.
        if self.host.was_stopped() {
            self.host.arm(&self.lua)?;
        }
        let mut exchange = self.host.exchange.borrow_mut();
        let mut out = std::mem::take(&mut exchange.reply);
        out.clear();
        let (resp, client_resp) = (exchange.resp, exchange.client_resp);
        drop(exchange);
        let mut reply = Reply::new(&mut out, client_resp);
        let counted = match (ok, &value) {
            (true, value) => {
                let mut writer = Writer { reply: &mut reply, resp, counted: false };
                writer.value(value, 0)?;
                writer.counted
            }
            (false, Value::Table(error)) => uncaught(&mut reply, error)?,
            (false, other) => {
                let text = other.to_string()?;
                reply.error(&format!("ERR Error running script, {}", text.chars().take(100).collect::<String>()));
                false
            }
        };
        self.hand_over(out, counted);
        Ok(())
    }

    fn hand_over(&self, reply: Vec<u8>, counted: bool) {
        let exchange: &mut Exchange = &mut self.host.exchange.borrow_mut();
        exchange.failed = reply.first() == Some(&b'-');
        exchange.counted = counted;
        exchange.reply = reply;
    }

    /// Runs the code of a library and keeps what it registers.
    fn load(&mut self, library: &Arc<Library>) -> std::result::Result<(), String> {
        let gone = self.libraries.values().filter(|known| known.gone.load(Ordering::Relaxed)).map(|known| known.id);
        for id in gone.collect::<Vec<_>>() {
            self.forget_library(id)?;
        }
        let chunk = self
            .compile(&library.code[library.code_at..], "@user_function", Some(&self.sandbox.function_front))
            .map_err(|text| format!("ERR Error compiling function: {text}"))?;
        self.collector.begin(&self.lua).map_err(|error| plain(&error))?;
        let ran = self.sandbox.set_loading(true).and_then(|()| chunk.call::<()>(()));
        let (registered, functions) = self.collector.end();
        self.sandbox.set_loading(false).map_err(|error| plain(&error))?;
        ran.map_err(|error| {
            let text = match super::error::caught(&self.lua, Value::Error(Box::new(error))) {
                Ok(Value::Table(table)) => table.raw_get::<String>("err").unwrap_or_default(),
                Ok(Value::String(text)) => format!("ERR {}", text.to_string_lossy()),
                _ => "ERR unknown error".to_owned(),
            };
            format!("ERR Error registering functions: {}", text.split("\nstack traceback:").next().unwrap_or_default())
        })?;
        let mut exchange = self.host.exchange.borrow_mut();
        exchange.reply.clear();
        exchange.failed = false;
        exchange.registered = registered;
        self.libraries.insert(library.id, Arc::clone(library));
        self.library_functions.raw_set(library.id, functions).map_err(|error| plain(&error))
    }
}

/// The reply of a script that ended with an error; true if the error was counted where it was made.
fn uncaught(reply: &mut Reply<'_>, error: &Table) -> Result<bool> {
    let text_of = |name: &str| -> Result<Option<LuaString>> {
        let value: Value = error.get(name)?;
        Ok(match &value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        })
    };
    let mut full = match error.get::<Value>("err")? {
        Value::String(text) => text.as_bytes().to_vec(),
        number @ (Value::Integer(_) | Value::Number(_)) => number.to_string()?.into_bytes(),
        _ => b"ERR unknown error".to_vec(),
    };
    let known = !matches!(error.get::<Value>("err")?, Value::Nil);
    let line = error.get::<Value>("line")?;
    if let (Some(source), Value::Integer(line)) = (text_of("source")?, line)
        && (known || line != 0)
    {
        full.extend_from_slice(b" script: on ");
        full.extend_from_slice(&source.as_bytes());
        full.extend_from_slice(format!(":{line}.").as_bytes());
    }
    reply.error_bytes(&full);
    Ok(matches!(error.get("ignore_error_stats_update")?, Value::Boolean(true)))
}

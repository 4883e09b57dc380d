//! The globals of scripts and of functions: what is there, and what nobody may change.
//!
//! Valkey marks the tables of its globals as read-only inside a patched Lua. Ours is Lua as it comes, so what scripts see
//! are *fronts*: empty tables that read through to the real ones and refuse writes. The functions that look past a
//! metatable (`rawset`, `rawget`, `next`, `pairs`, `setmetatable`, `getmetatable`) are ours and know the fronts. What
//! still writes into a table behind its metatable (`table.insert`) can only reach a front itself, which is swept after
//! any script that names such a function.
//!
//! Invariant: no real table ever reaches a script.

use super::error::{caught, error_table, fail, fail_at};
use super::{bits, cjson, cmsgpack, random, structs};
use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaOptions, LuaString, MultiValue, Result, StdLib, Table, Value};
use std::rc::Rc;

const READ_ONLY: &str = "Attempt to modify a readonly table";
/// What scripts get of Lua's base library as it is.
const BASE: &[&str] =
    &["assert", "collectgarbage", "error", "gcinfo", "ipairs", "rawequal", "select", "tonumber", "tostring", "type", "unpack", "_VERSION"];
/// What `lua-enable-insecure-api` adds.
const INSECURE: &[&str] = &["getfenv", "newproxy", "setfenv"];
/// Functions that write into tables behind their metatables.
const RAW_WRITERS: &[&[u8]] = &[b"insert", b"remove", b"sort", b"setn"];

/// Everything of the base library that catches errors must show ours as Lua values.
const CATCHERS: &str = r#"
local raw_pcall, raw_xpcall, raw_resume, caught, type = ...
local function plain(ok, err, ...)
  if ok then return ok, err, ... end
  err = caught(err)
  if type(err) == 'table' then
    local text = err.err
    if type(text) == 'string' or type(text) == 'number' then err = text end
  end
  return false, err
end
local function shown(ok, err, ...)
  if ok then return ok, err, ... end
  return false, caught(err)
end
local function pcall(...) return plain(raw_pcall(...)) end
local function xpcall(f, handler)
  return raw_xpcall(f, function(err) return handler(caught(err)) end)
end
local function resume(...) return shown(raw_resume(...)) end
return pcall, xpcall, resume
"#;

/// Lua 5.1 counts what `unpack` is to return in an int: a range wide enough overflows it, and the machine writes beyond its
/// stack. Such ranges, and those that are no numbers of that size, never reach it.
const UNPACK: &str = r#"
local unpack, tonumber, type, error = ...
return function(t, i, j)
  if type(t) ~= 'table' then return unpack(t, i, j) end
  local first, last = tonumber(i == nil and 1 or i), tonumber(j == nil and #t or j)
  if first and last then
    if first > last then return end
    if not (last - first < 1000000) then error('too many results to unpack', 2) end
  end
  return unpack(t, i, j)
end
"#;

/// The machine's globals.
pub struct Sandbox {
    /// The real globals of scripts: KEYS and ARGV are set here.
    pub script_globals: Table,
    /// What functions of libraries see.
    pub function_front: Table,
    function_meta: Table,
    function_globals: Table,
    library_globals: Table,
    /// `xpcall` as it came.
    pub xpcall: Function,
    /// The handler of errors nobody caught: makes them tables with their source and line.
    pub handler: Function,
    sweep: Function,
}

/// A Lua state with nothing in it but what the sandbox takes.
pub fn bare(insecure: bool) -> Lua {
    let libs = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
    let _ = insecure;
    Lua::new_with(libs, LuaOptions::new()).expect("the safe libraries load")
}

struct Maker<'a> {
    lua: &'a Lua,
    /// From fronts to what is behind them.
    reals: Table,
    read_only: Function,
    missing: Function,
}

impl Maker<'_> {
    /// A front for a table.
    fn front(&self, real: &Table) -> Result<Table> {
        let front = self.lua.create_table()?;
        let meta = self.lua.create_table_with_capacity(0, 2)?;
        meta.raw_set("__index", real)?;
        meta.raw_set("__newindex", &self.read_only)?;
        front.set_metatable(Some(meta))?;
        self.reals.raw_set(&front, real)?;
        Ok(front)
    }

    /// A front that says so when something is not there.
    fn strict_front(&self, real: &Table) -> Result<Table> {
        let meta = self.lua.create_table_with_capacity(0, 1)?;
        meta.raw_set("__index", &self.missing)?;
        real.set_metatable(Some(meta))?;
        self.front(real)
    }
}

/// Builds the globals. `server_tables` are the real `server` tables of scripts, functions and loading libraries.
pub fn build(lua: &Lua, server_tables: [Table; 3], insecure: bool) -> Result<Sandbox> {
    let raw = lua.globals();
    let reals = lua.create_table()?;
    let read_only = lua.create_function(|lua, _: MultiValue| -> Result<()> { Err(fail_at(lua, READ_ONLY)) })?;
    let missing = lua.create_function(|lua, (_, name): (Value, Value)| -> Result<()> {
        let name = lua.coerce_string(name)?.map(|s| s.to_string_lossy()).unwrap_or_default();
        Err(fail_at(lua, &format!("Script attempted to access nonexistent global variable '{name}'")))
    })?;
    let maker = Maker { lua, reals, read_only, missing };
    let xpcall: Function = raw.raw_get("xpcall")?;
    let std = standard(&maker, &raw, insecure)?;
    let handler = handler(lua, raw.raw_get("tostring")?)?;
    let [scripts, functions, libraries] = server_tables;
    let script_globals = globals_of(&maker, &std, &scripts)?;
    script_globals.raw_set("__server__err__handler", &handler)?;
    script_globals.raw_set("__redis__err__handler", &handler)?;
    let script_front = maker.strict_front(&script_globals)?;
    loaders(&maker, &script_globals, &script_front)?;
    let function_globals = globals_of(&maker, &std, &functions)?;
    let function_front = maker.strict_front(&function_globals)?;
    loaders(&maker, &function_globals, &function_front)?;
    let library_globals = lua.create_table()?;
    let server = maker.strict_front(&libraries)?;
    library_globals.raw_set("server", &server)?;
    library_globals.raw_set("redis", &server)?;
    maker.strict_front(&library_globals)?;
    let function_meta = function_front.metatable().expect("a front has one");
    let sweep = sweep(lua, &maker.reals, &raw)?;
    lua.set_globals(script_front)?;
    Ok(Sandbox { script_globals, function_front, function_meta, function_globals, library_globals, xpcall, handler, sweep })
}

impl Sandbox {
    /// Has library code see what it may see while it loads, or what its functions see later.
    pub fn set_loading(&self, loading: bool) -> Result<()> {
        let globals = if loading { &self.library_globals } else { &self.function_globals };
        self.function_meta.raw_set("__index", globals)
    }

    /// Takes away what was written into fronts.
    pub fn sweep(&self) -> Result<()> {
        self.sweep.call(())
    }
}

/// True if code names a function that may write into fronts.
pub fn may_write_fronts(code: &[u8]) -> bool {
    RAW_WRITERS.iter().any(|name| memchr::memmem::find(code, name).is_some())
}

/// The names that scripts and functions share, and their values.
fn standard(maker: &Maker<'_>, raw: &Table, insecure: bool) -> Result<Table> {
    let lua = maker.lua;
    let std = lua.create_table()?;
    for name in BASE.iter().chain(INSECURE.iter().filter(|_| insecure)) {
        std.raw_set(*name, raw.raw_get::<Value>(*name)?)?;
    }
    let string: Table = raw.raw_get("string")?;
    let math: Table = raw.raw_get("math")?;
    random::install(lua, &math)?;
    let os = lua.create_table()?;
    os.raw_set("clock", raw.raw_get::<Table>("os")?.raw_get::<Function>("clock")?)?;
    let coroutine: Table = raw.raw_get("coroutine")?;
    catchers(lua, raw, &std, &coroutine)?;
    let get = |name: &str| raw.raw_get::<Function>(name);
    let parts = (get("unpack")?, get("tonumber")?, get("type")?, get("error")?);
    std.raw_set("unpack", lua.load(UNPACK).set_name("=ringkey").call::<Function>(parts)?)?;
    let libraries = [
        ("string", string.clone()),
        ("math", math),
        ("os", os),
        ("table", raw.raw_get("table")?),
        ("coroutine", coroutine),
        ("cjson", cjson::library(lua)?),
        ("cmsgpack", cmsgpack::library(lua)?),
        ("struct", structs::library(lua)?),
        ("bit", bits::library(lua)?),
    ];
    for (name, real) in &libraries {
        std.raw_set(*name, maker.front(real)?)?;
    }
    looking_past(maker, raw, &std)?;
    Ok(std)
}

fn catchers(lua: &Lua, raw: &Table, std: &Table, coroutine: &Table) -> Result<()> {
    let caught = lua.create_function(|lua, value: Value| caught(lua, value))?;
    let get = |name: &str| raw.raw_get::<Function>(name);
    let resume: Function = coroutine.raw_get("resume")?;
    let made: (Function, Function, Function) = lua
        .load(CATCHERS)
        .set_name("=ringkey")
        .call((get("pcall")?, get("xpcall")?, resume, caught, get("type")?))?;
    std.raw_set("pcall", made.0)?;
    std.raw_set("xpcall", made.1)?;
    coroutine.raw_set("resume", made.2)
}

/// Our own forms of the functions that look past a metatable.
fn looking_past(maker: &Maker<'_>, raw: &Table, std: &Table) -> Result<()> {
    let lua = maker.lua;
    let behind = Rc::new(maker.reals.clone());
    let real_of = move |value: Option<&Value>| -> Option<Table> {
        let Some(Value::Table(table)) = value else { return None };
        behind.raw_get::<Option<Table>>(table).ok().flatten()
    };
    let real_of: RealOf = Rc::new(real_of);
    for name in ["rawset", "setmetatable"] {
        let (native, real_of): (Function, _) = (raw.raw_get(name)?, Rc::clone(&real_of));
        let guarded = lua.create_function(move |lua, args: MultiValue| -> Result<MultiValue> {
            if real_of(args.front()).is_some() {
                let placed = name == "setmetatable";
                return Err(if placed { fail_at(lua, READ_ONLY) } else { fail(READ_ONLY) });
            }
            native.call(args).map_err(|error| again(lua, name, error))
        })?;
        std.raw_set(name, guarded)?;
    }
    for name in ["rawget", "next"] {
        let (native, real_of): (Function, _) = (raw.raw_get(name)?, Rc::clone(&real_of));
        let through = lua.create_function(move |lua, mut args: MultiValue| -> Result<MultiValue> {
            if let Some(real) = real_of(args.front()) {
                args[0] = Value::Table(real);
            }
            native.call(args).map_err(|error| again(lua, name, error))
        })?;
        std.raw_set(name, through)?;
    }
    pairs(lua, raw, std, Rc::clone(&real_of))?;
    getmetatable(maker, raw, std, real_of)
}

type RealOf = Rc<dyn Fn(Option<&Value>) -> Option<Table>>;

/// `pairs` walks a copy of what is behind a front: the walk hands out the table it walks.
fn pairs(lua: &Lua, raw: &Table, std: &Table, real_of: RealOf) -> Result<()> {
    let (native, next): (Function, Function) = (raw.raw_get("pairs")?, raw.raw_get("next")?);
    let guarded = lua.create_function(move |lua, args: MultiValue| -> Result<MultiValue> {
        let Some(real) = real_of(args.front()) else {
            return native.call(args).map_err(|error| again(lua, "pairs", error));
        };
        let copy = lua.create_table()?;
        real.for_each(|key: Value, value: Value| copy.raw_set(key, value))?;
        Ok(MultiValue::from_iter([Value::Function(next.clone()), Value::Table(copy), Value::Nil]))
    })?;
    std.raw_set("pairs", guarded)
}

/// The metatables of fronts are nobody's business, and those of strings are shared by all.
fn getmetatable(maker: &Maker<'_>, raw: &Table, std: &Table, real_of: RealOf) -> Result<()> {
    let lua = maker.lua;
    let of_strings = lua.create_table()?;
    of_strings.raw_set("__index", std.raw_get::<Table>("string")?)?;
    let of_strings = maker.front(&of_strings)?;
    let of_globals = maker.front(&lua.create_table()?)?;
    let native: Function = raw.raw_get("getmetatable")?;
    let guarded = lua.create_function(move |lua, args: MultiValue| -> Result<Value> {
        if let Some(Value::String(_)) = args.front() {
            return Ok(Value::Table(of_strings.clone()));
        }
        if let Some(real) = real_of(args.front()) {
            return Ok(if real.metatable().is_some() { Value::Table(of_globals.clone()) } else { Value::Nil });
        }
        native.call(args).map_err(|error| again(lua, "getmetatable", error))
    })?;
    std.raw_set("getmetatable", guarded)
}

/// An error of a native function as if the script had called it itself.
fn again(lua: &Lua, name: &str, error: mlua::Error) -> mlua::Error {
    let text = super::error::plain(&error);
    let text = text.split("\nstack traceback:").next().unwrap_or_default();
    // Called from here Lua cannot know the function's name.
    fail_at(lua, &text.replace("'?'", &format!("'{name}'")))
}

fn globals_of(maker: &Maker<'_>, std: &Table, server: &Table) -> Result<Table> {
    let globals = maker.lua.create_table()?;
    std.for_each(|key: Value, value: Value| globals.raw_set(key, value))?;
    let front = maker.front(server)?;
    globals.raw_set("server", &front)?;
    globals.raw_set("redis", &front)?;
    Ok(globals)
}

/// `loadstring` and `load` for these globals; text only, for bytecode can do anything.
fn loaders(maker: &Maker<'_>, globals: &Table, front: &Table) -> Result<()> {
    globals.raw_set("_G", front)?;
    let lua = maker.lua;
    let env = front.clone();
    let loadstring = lua.create_function(move |lua, args: MultiValue| {
        let code = random::string_arg(lua, &args, 0, "loadstring")?;
        let name = match args.get(1) {
            None | Some(Value::Nil) => code.clone(),
            Some(_) => random::string_arg(lua, &args, 1, "loadstring")?,
        };
        compile(lua, &code.as_bytes(), &name, &env)
    })?;
    let env = front.clone();
    let load = lua.create_function(move |lua, args: MultiValue| {
        let Some(Value::Function(piece)) = args.front().cloned() else {
            let got = args.front().map_or("no value", Value::type_name);
            return Err(fail_at(lua, &format!("bad argument #1 to 'load' (function expected, got {got})")));
        };
        let name = match args.get(1) {
            None | Some(Value::Nil) => lua.create_string("=(load)")?,
            Some(_) => random::string_arg(lua, &args, 1, "load")?,
        };
        let mut code = Vec::new();
        loop {
            match piece.call::<Value>(())? {
                Value::String(s) if !s.as_bytes().is_empty() => code.extend_from_slice(&s.as_bytes()),
                Value::Nil | Value::String(_) => break,
                _ => return failed(lua, "reader function must return a string"),
            }
        }
        compile(lua, &code, &name, &env)
    })?;
    globals.raw_set("loadstring", loadstring)?;
    globals.raw_set("load", load)
}

fn compile(lua: &Lua, code: &[u8], name: &LuaString, env: &Table) -> Result<MultiValue> {
    let name = name.to_string_lossy().replace('\0', "");
    if code.first() == Some(&0x1b) {
        return failed(lua, "bytecode cannot be loaded");
    }
    match lua.load(code).set_name(name).set_mode(ChunkMode::Text).set_environment(env.clone()).into_function() {
        Ok(function) => Ok(MultiValue::from_iter([Value::Function(function)])),
        Err(error) => failed(lua, &super::error::plain(&error)),
    }
}

fn failed(lua: &Lua, text: &str) -> Result<MultiValue> {
    Ok(MultiValue::from_iter([Value::Nil, Value::String(lua.create_string(text)?)]))
}

/// The handler of errors nobody caught.
fn handler(lua: &Lua, tostring: Function) -> Result<Function> {
    lua.create_function(move |lua, error: Value| -> Result<Value> {
        let table = match caught(lua, error)? {
            Value::Table(table) => table,
            other => {
                let text: LuaString = tostring.call(other)?;
                let full = [b"ERR ", &*text.as_bytes()].concat();
                error_table(lua, &full, false)?
            }
        };
        let info = |level| {
            lua.inspect_stack(level, |debug| {
                let source = debug.source();
                let text = source.source.map(|s| s.into_owned()).unwrap_or_default();
                (source.what == "C", text, debug.current_line().map_or(-1, |line| line as i64))
            })
        };
        let found = match info(1) {
            Some((true, ..)) => info(2),
            found => found,
        };
        if let Some((_, source, line)) = found {
            table.set("source", source)?;
            table.set("line", line)?;
        }
        Ok(Value::Table(table))
    })
}

fn sweep(lua: &Lua, reals: &Table, raw: &Table) -> Result<Function> {
    let code = "local reals, next, rawset, pairs = ...
        local fronts = {}
        for front in pairs(reals) do fronts[#fronts + 1] = front end
        return function()
          for i = 1, #fronts do
            local front = fronts[i]
            local key = next(front)
            while key ~= nil do
              rawset(front, key, nil)
              key = next(front)
            end
          end
        end";
    let get = |name: &str| raw.raw_get::<Function>(name);
    lua.load(code).set_name("=ringkey").call((reals, get("next")?, get("rawset")?, get("pairs")?))
}

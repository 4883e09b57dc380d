//! Libraries of functions: what one is, what its code registers, and all that the server knows.
//!
//! The register of libraries is one value that is replaced as a whole. A core compiles a library when it first calls one
//! of its functions; what the library keeps in its own variables is therefore each core's own.

use super::error::fail_reply;
use super::text::{flag, fresh_id, words};
use mlua::{Function, Lua, MultiValue, Result, Table, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What a library registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The function's name.
    pub name: Box<[u8]>,
    /// What it is for.
    pub description: Option<Box<[u8]>>,
    /// Bits of [`flag`].
    pub flags: u32,
}

/// A library.
#[derive(Debug)]
pub struct Library {
    /// Unique in the process.
    pub id: u64,
    /// Its name.
    pub name: Box<[u8]>,
    /// The whole text.
    pub code: Box<[u8]>,
    /// Where the code begins, behind the shebang.
    pub code_at: usize,
    /// Its functions, in the order they were registered; empty until it has been loaded once.
    pub functions: Vec<Registered>,
    /// It is known no more.
    pub gone: AtomicBool,
    /// One of its functions has called a key it did not declare on another shard.
    pub strays: AtomicBool,
}

impl Library {
    /// Reads the shebang of a library. Errors: Valkey's texts, without their code.
    pub fn new(code: &[u8]) -> std::result::Result<Library, String> {
        if !code.starts_with(b"#!") {
            return Err("Missing library metadata".into());
        }
        let end = memchr::memchr(b'\n', code).ok_or("Invalid library metadata")?;
        let words = words(&code[..end]).unwrap_or_default();
        let engine = words.first().and_then(|word| word.get(2..)).ok_or("Invalid library metadata")?;
        let mut name: Option<&[u8]> = None;
        for word in &words[1..] {
            match word.get(..5) {
                Some(start) if start.eq_ignore_ascii_case(b"name=") => {
                    if name.replace(&word[5..]).is_some() {
                        return Err("Invalid metadata value, name argument was given multiple times".into());
                    }
                }
                _ => return Err(format!("Invalid metadata value given: {}", String::from_utf8_lossy(word))),
            }
        }
        let name = name.ok_or("Library name was not given")?;
        if !is_name(name) {
            return Err("Library names can only contain letters, numbers, or underscores(_) and must be at least one \
                        character long"
                .into());
        }
        if !engine.eq_ignore_ascii_case(b"lua") {
            return Err(format!("Engine '{}' not found", String::from_utf8_lossy(engine)));
        }
        Ok(Library {
            id: fresh_id(),
            name: name.into(),
            code: code.into(),
            code_at: end,
            functions: Vec::new(),
            gone: AtomicBool::new(false),
            strays: AtomicBool::new(false),
        })
    }

    /// The same with its functions. Errors: names that cannot be, the same name twice, none at all.
    pub fn with_functions(self: Arc<Self>, functions: Vec<Registered>) -> std::result::Result<Arc<Library>, String> {
        for (i, function) in functions.iter().enumerate() {
            if !is_name(&function.name) {
                return Err("Function names can only contain letters, numbers, or underscores(_) and must be at least \
                            one character long"
                    .into());
            }
            if functions[..i].iter().any(|other| other.name.eq_ignore_ascii_case(&function.name)) {
                return Err("Function already exists in the library".into());
            }
        }
        if functions.is_empty() {
            return Err("No functions registered".into());
        }
        Ok(Arc::new(Library {
            // The machine that loaded it knows it under this number already.
            id: self.id,
            name: self.name.clone(),
            code: self.code.clone(),
            code_at: self.code_at,
            functions,
            gone: AtomicBool::new(false),
            strays: AtomicBool::new(false),
        }))
    }

    /// Bytes it holds.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Library>() + self.code.len() + self.name.len() + self.functions.len() * size_of::<Registered>()
    }
}

/// True for letters, digits and underscores, at least one.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// All libraries.
#[derive(Clone, Default, Debug)]
pub struct Libraries {
    /// By name.
    pub by_name: BTreeMap<Box<[u8]>, Arc<Library>>,
}

impl Libraries {
    /// The library of a function, and its place there. Functions are found whatever the case of their name.
    pub fn find(&self, function: &[u8]) -> Option<(&Arc<Library>, usize)> {
        self.by_name.values().find_map(|library| {
            let at = library.functions.iter().position(|f| f.name.eq_ignore_ascii_case(function))?;
            Some((library, at))
        })
    }

    /// Number of functions.
    pub fn functions(&self) -> usize {
        self.by_name.values().map(|library| library.functions.len()).sum()
    }

    /// Adds a library. Errors: its name or one of its functions' is there already.
    pub fn add(&mut self, library: Arc<Library>, replace: bool) -> std::result::Result<(), String> {
        let old = self.by_name.get(&library.name);
        if old.is_some() && !replace {
            return Err(format!("Library '{}' already exists", String::from_utf8_lossy(&library.name)));
        }
        for function in &library.functions {
            if let Some((other, _)) = self.find(&function.name)
                && other.name != library.name
            {
                return Err(format!("Function {} already exists", String::from_utf8_lossy(&function.name)));
            }
        }
        self.by_name.insert(library.name.clone(), library);
        Ok(())
    }

    /// Bytes they hold.
    pub fn memory_bytes(&self) -> usize {
        self.by_name.values().map(|library| library.memory_bytes()).sum()
    }
}

/// Takes in what a library registers while it loads.
#[derive(Default)]
pub struct Collector {
    /// What was registered so far, and the functions, in a list of Lua's.
    open: RefCell<Option<(Vec<Registered>, Table)>>,
}

impl Collector {
    /// Adds `register_function` to the loading table.
    pub fn install(self: &Rc<Self>, lua: &Lua, table: &Table) -> Result<()> {
        let collector = Rc::clone(self);
        let register = lua.create_function(move |lua, args: MultiValue| collector.register(lua, &args))?;
        table.raw_set("register_function", register)
    }

    /// A library begins to load.
    pub fn begin(&self, lua: &Lua) -> Result<()> {
        *self.open.borrow_mut() = Some((Vec::new(), lua.create_table()?));
        Ok(())
    }

    /// It has loaded: what it registered, and the functions in the same order.
    pub fn end(&self) -> (Vec<Registered>, Table) {
        self.open.borrow_mut().take().expect("a library was loading")
    }

    fn register(&self, lua: &Lua, args: &MultiValue) -> Result<()> {
        let mut open = self.open.borrow_mut();
        let Some((registered, functions)) = &mut *open else {
            return Err(fail_reply("ERR server.register_function can only be called on FUNCTION LOAD command"));
        };
        let (new, function) = match args.len() {
            1 => named(lua, &args[0])?,
            2 => positional(lua, args)?,
            _ => return Err(fail_reply("ERR wrong number of arguments to server.register_function")),
        };
        registered.push(new);
        functions.raw_set(registered.len(), function)
    }
}

fn text(lua: &Lua, value: &Value) -> Option<Box<[u8]>> {
    match value {
        Value::String(s) => Some((*s.as_bytes()).into()),
        Value::Integer(_) | Value::Number(_) => {
            lua.coerce_string(value.clone()).ok().flatten().map(|s| (*s.as_bytes()).into())
        }
        _ => None,
    }
}

fn positional(lua: &Lua, args: &MultiValue) -> Result<(Registered, Function)> {
    let name = text(lua, &args[0])
        .ok_or_else(|| fail_reply("ERR first argument to server.register_function must be a string"))?;
    let Value::Function(function) = &args[1] else {
        return Err(fail_reply("ERR second argument to server.register_function must be a function"));
    };
    Ok((Registered { name, description: None, flags: 0 }, function.clone()))
}

fn named(lua: &Lua, arg: &Value) -> Result<(Registered, Function)> {
    let Value::Table(table) = arg else {
        return Err(fail_reply(
            "ERR calling server.register_function with a single argument is only applicable to Lua table \
             (representing named arguments).",
        ));
    };
    let (mut name, mut description, mut function, mut flags) = (None, None, None, 0);
    table.for_each(|key: Value, value: Value| {
        let key = text(lua, &key)
            .ok_or_else(|| fail_reply("ERR named argument key given to server.register_function is not a string"))?;
        let bad = |what: &str| fail_reply(format!("ERR {what} argument given to server.register_function must be a"));
        let with = |error: mlua::Error, kind: &str| fail_reply(format!("{} {kind}", super::error::shown(&error)));
        match &*key.to_ascii_lowercase() {
            b"function_name" => {
                name = Some(text(lua, &value).ok_or_else(|| with(bad("function_name"), "string"))?);
            }
            b"description" => {
                description = Some(text(lua, &value).ok_or_else(|| with(bad("description"), "string"))?);
            }
            b"callback" => {
                let Value::Function(f) = value else { return Err(with(bad("callback"), "function")) };
                function = Some(f);
            }
            b"flags" => flags = read_flags(lua, &value)?,
            _ => return Err(fail_reply("ERR unknown argument given to server.register_function")),
        }
        Ok(())
    })?;
    let name =
        name.ok_or_else(|| fail_reply("ERR server.register_function must get a function name argument"))?;
    let function = function.ok_or_else(|| fail_reply("ERR server.register_function must get a callback argument"))?;
    Ok((Registered { name, description, flags }, function))
}

fn read_flags(lua: &Lua, value: &Value) -> Result<u32> {
    let Value::Table(list) = value else {
        return Err(fail_reply(
            "ERR flags argument to server.register_function must be a table representing function flags",
        ));
    };
    let mut flags = 0;
    for i in 1.. {
        let value: Value = list.get(i)?;
        if value.is_nil() {
            break;
        }
        let known = text(lua, &value).and_then(|name| flag::of(&name.to_ascii_lowercase()));
        flags |= known.ok_or_else(|| fail_reply("ERR unknown flag given"))?;
    }
    Ok(flags)
}

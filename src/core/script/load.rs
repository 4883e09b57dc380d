//! Trying code without a client: SCRIPT LOAD compiles, FUNCTION LOAD runs a library's top level.

use crate::core::Center;
use crate::script::exchange::Code;
use crate::script::library::Registered;
use crate::script::stack::{Order, Stack, Wish};
use crate::stats::clock;

impl Center {
    /// Compiles a script, or runs the code of a library for what it registers. Errors: the whole text.
    pub fn try_code(&mut self, code: Code, limit_ms: Option<u64>) -> Result<Vec<Registered>, String> {
        // While a script is under way its machine cannot do anything else; another one is made for this.
        let insecure = self.config.general.lua_enable_insecure_api;
        let busy = self.scripts.is_busy();
        let mine = if busy { None } else { self.scripts.stack.take() };
        let mut stack = mine.unwrap_or_else(|| Box::new(Stack::new(insecure)));
        {
            let mut exchange = stack.exchange();
            exchange.code = Some(code);
            exchange.set_args(std::iter::empty());
            exchange.keys = 0;
            exchange.failed = false;
            exchange.reply.clear();
            exchange.registered.clear();
            exchange.stop_text = "FUNCTION LOAD timeout";
        }
        let begin = clock::ticks();
        let mut order = Order::Start;
        loop {
            let elapsed_ms = || clock::ticks_to_us(clock::ticks().wrapping_sub(begin)) / 1000;
            order = match stack.resume(order) {
                Wish::Done => break,
                Wish::Tick if limit_ms.is_none_or(|limit| elapsed_ms() <= limit) => Order::GoOn,
                Wish::Tick | Wish::Call | Wish::MayCall => Order::Stop,
            };
        }
        let result = {
            let mut exchange = stack.exchange();
            if exchange.failed {
                let text = exchange.reply.strip_prefix(b"-").unwrap_or_default();
                Err(String::from_utf8_lossy(text).trim_end().to_owned())
            } else {
                Ok(std::mem::take(&mut exchange.registered))
            }
        };
        if !busy {
            self.scripts.stack = Some(stack);
        }
        result
    }

    /// A new machine for the scripts to come (SCRIPT FLUSH).
    pub fn reset_machine(&mut self) {
        if !self.scripts.is_busy() {
            self.scripts.stack = None;
        }
    }
}

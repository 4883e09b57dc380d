//! A stack of its own for the Lua machine, so that a script can stop in the middle and go on later.
//!
//! Whatever Lua is doing (a comparison inside `table.sort`, a coroutine of the user's, a `gsub` callback), a call of
//! the server or a tick of the clock switches back to the core with what it wants ([`Wish`]); the core answers with an
//! [`Order`]. Lua's own coroutines could not do that: Lua 5.1 cannot yield across a C function.
//!
//! One machine lives on one stack for as long as its core does, and runs one script at a time. Dropping it tells the
//! running script to stop and unwinds in order; nothing is torn away from under Lua.

#![allow(unsafe_code)] // the machine's callbacks reach the switch of the stack they run on by a pointer

use super::exchange::{Exchange, Shared};
use super::machine;
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

/// Bytes of the stack: 200 nested calls between Lua and C, each with a buffer of 8 KiB, and room for debug builds. Only
/// what is used takes memory.
const STACK_BYTES: usize = 8 << 20;

/// What the machine wants of its core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// The call in the exchange.
    Call,
    /// To know whether its user may make the call in the exchange.
    MayCall,
    /// Nothing: some time has passed.
    Tick,
    /// The job is done; its reply is in the exchange.
    Done,
}

/// What the core tells the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Begin the job in the exchange.
    Start,
    /// Go on; what was asked for is in the exchange.
    GoOn,
    /// End the script: an error that it cannot catch.
    Stop,
    /// There will be no more jobs.
    End,
}

/// The way from the machine's stack to its core's.
#[derive(Clone)]
pub struct Switch {
    yielder: Rc<Cell<*const Yielder<Order, Wish>>>,
}

impl Switch {
    /// Tells the core a wish; comes back with its order.
    pub fn ask(&self, wish: Wish) -> Order {
        let yielder = self.yielder.get();
        assert!(!yielder.is_null(), "the machine runs on its own stack only");
        // SAFETY: set by the body of the coroutine from a reference that lives until the body returns; the machine and
        // all its callbacks are made and dropped inside that body.
        let yielder = unsafe { &*yielder };
        yielder.suspend(wish)
    }
}

/// A Lua machine on its own stack.
pub struct Stack {
    coroutine: Coroutine<Order, Wish, (), DefaultStack>,
    exchange: Shared,
}

impl Stack {
    /// A machine ready for its first job.
    pub fn new(insecure: bool) -> Stack {
        let exchange = Rc::new(RefCell::new(Exchange::default()));
        let inner = Rc::clone(&exchange);
        let stack = DefaultStack::new(STACK_BYTES).expect("address space for a stack");
        let coroutine = Coroutine::with_stack(stack, move |yielder, _: Order| {
            let switch = Switch { yielder: Rc::new(Cell::new(std::ptr::from_ref(yielder))) };
            machine::live(&switch, &inner, insecure);
            switch.yielder.set(std::ptr::null());
        });
        let mut stack = Stack { coroutine, exchange };
        assert_eq!(stack.resume(Order::GoOn), Wish::Done, "a machine begins by saying that it is ready");
        stack
    }

    /// Lets the machine run until its next wish.
    pub fn resume(&mut self, order: Order) -> Wish {
        match self.coroutine.resume(order) {
            CoroutineResult::Yield(wish) => wish,
            CoroutineResult::Return(()) => unreachable!("a machine lives until it is told that there are no more jobs"),
        }
    }

    /// What the core and the machine hand each other.
    pub fn exchange(&self) -> RefMut<'_, Exchange> {
        self.exchange.borrow_mut()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // A script in the middle of something is stopped first; then the body returns.
        let mut order = Order::End;
        while let CoroutineResult::Yield(wish) = self.coroutine.resume(order) {
            order = if wish == Wish::Done { Order::End } else { Order::Stop };
        }
    }
}

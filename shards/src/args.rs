//! The arguments of one call, borrowed from the bytes they came in.
//!
//! A request is parsed where it was received: the parser notes where each argument lies ([`Span`]) and copies nothing.
//! [`Args`] pairs those spans with the buffer they point into, so a command sees plain byte slices. The spans are 32 bits
//! wide: a query buffer is limited to far less than 4 GiB, and half the size keeps twice the arguments in a cache line.
//!
//! Invariant: every span lies inside the buffer. Whoever makes the spans guarantees it; reading a span that does not hold
//! panics instead of handing out other bytes.

use std::ops::Index;

const _: () = assert!(size_of::<Span>() == 8);

/// Where one argument lies in the buffer of its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

impl Span {
    /// The span of `len` bytes at `start`. Panics if it does not fit 32 bits, which no limited buffer can reach.
    #[inline]
    pub fn new(start: usize, len: usize) -> Span {
        assert!(start + len <= u32::MAX as usize, "a query buffer stays below 4 GiB");
        Span { start: start as u32, len: len as u32 }
    }

    /// Offset of the first byte after it.
    #[inline]
    pub fn end(self) -> usize {
        self.start as usize + self.len as usize
    }
}

/// The arguments of one call; the first is the command's name.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    buf: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// The arguments that `spans` mark in `buf`.
    #[inline]
    pub fn new(buf: &'a [u8], spans: &'a [Span]) -> Args<'a> {
        debug_assert!(spans.iter().all(|span| span.end() <= buf.len()));
        Args { buf, spans }
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`, which must exist: arity was checked before the command ran.
    #[inline]
    pub fn get(&self, index: usize) -> &'a [u8] {
        let span = self.spans[index];
        &self.buf[span.start as usize..span.end()]
    }

    /// All of them in order.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + use<'a> {
        let buf = self.buf;
        self.spans.iter().map(move |span| &buf[span.start as usize..span.end()])
    }

    /// Those from `first` on; none if there are not so many.
    #[inline]
    pub fn from(&self, first: usize) -> Args<'a> {
        Args { buf: self.buf, spans: self.spans.get(first..).unwrap_or(&[]) }
    }

    /// The bytes that the spans refer to.
    #[inline]
    pub fn buffer(&self) -> &'a [u8] {
        self.buf
    }

    /// Where each argument lies in [`Args::buffer`].
    #[inline]
    pub fn spans(&self) -> &'a [Span] {
        self.spans
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_slices_of_the_request() {
        let buf = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
        let spans = [Span::new(8, 3), Span::new(17, 1)];
        let args = Args::new(buf, &spans);
        assert_eq!((args.len(), args.is_empty()), (2, false));
        assert_eq!((args.get(0), &args[1]), (&b"GET"[..], &b"k"[..]));
        assert_eq!(args.iter().rev().collect::<Vec<_>>(), [b"k".as_slice(), b"GET"]);
    }

    #[test]
    fn a_tail_past_the_end_is_empty() {
        let spans = [Span::new(0, 1)];
        let args = Args::new(b"a", &spans);
        assert_eq!(args.from(1).len(), 0);
        assert_eq!(args.from(9).len(), 0);
        assert_eq!(args.from(0).get(0), b"a");
    }
}

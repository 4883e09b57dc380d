//! What a client sent that is no request. After any of these the connection answers once, if there is an answer, and is
//! closed: where the next request would begin is unknown.

/// Why the bytes of a connection cannot be read as requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// No end of an inline line in sight.
    BigInline,
    /// A quote that is not closed.
    UnbalancedQuotes,
    /// No end of the line with the number of arguments in sight.
    BigMultibulkCount,
    /// The number of arguments is no number, or too big.
    InvalidMultibulkLength,
    /// More arguments than AUTH or HELLO can need.
    UnauthenticatedMultibulk,
    /// No end of the line with an argument's length in sight.
    BigBulkCount,
    /// An argument that begins with this byte where a `$` belongs.
    ExpectedBulk(u8),
    /// An argument's length is no number, negative or over the limit.
    InvalidBulkLength,
    /// An argument longer than AUTH or HELLO can need.
    UnauthenticatedBulk,
    /// A line or an argument that does not end in CR LF.
    InvalidCrlf,
    /// A primary that sends an inline line: the stream has lost its place.
    InlineFromPrimary,
    /// The request does not fit the query buffer. Closed without an answer.
    QueryBufferFull,
}

impl ProtocolError {
    /// Appends the error reply, if the client gets one.
    pub fn write_reply(self, out: &mut Vec<u8>) {
        let text = match self {
            ProtocolError::BigInline => "too big inline request",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in request",
            ProtocolError::BigMultibulkCount => "too big mbulk count string",
            ProtocolError::InvalidMultibulkLength => "invalid multibulk length",
            ProtocolError::UnauthenticatedMultibulk => "unauthenticated multibulk length",
            ProtocolError::BigBulkCount => "too big bulk count string",
            ProtocolError::ExpectedBulk(_) => "expected '$', got '",
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::UnauthenticatedBulk => "unauthenticated bulk length",
            ProtocolError::InvalidCrlf => "invalid CRLF in request",
            ProtocolError::InlineFromPrimary | ProtocolError::QueryBufferFull => return,
        };
        out.extend_from_slice(b"-ERR Protocol error: ");
        out.extend_from_slice(text.as_bytes());
        if let ProtocolError::ExpectedBulk(byte) = self {
            // The byte is quoted as it came, but for the two that would end the line.
            let quoted = if matches!(byte, b'\r' | b'\n') { b' ' } else { byte };
            out.extend_from_slice(&[quoted, b'\'']);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// What the log says about it.
    pub fn log_text(self) -> &'static str {
        match self {
            ProtocolError::BigInline => "too big inline request",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in inline request",
            ProtocolError::BigMultibulkCount => "too big mbulk count string",
            ProtocolError::InvalidMultibulkLength => "invalid mbulk count",
            ProtocolError::UnauthenticatedMultibulk => "unauth mbulk count",
            ProtocolError::BigBulkCount => "too big bulk count string",
            ProtocolError::ExpectedBulk(_) => "expected $ but got something else",
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::UnauthenticatedBulk => "unauth bulk length",
            ProtocolError::InvalidCrlf => "invalid CRLF in request",
            ProtocolError::InlineFromPrimary => "inline request from the primary, stream out of step?",
            ProtocolError::QueryBufferFull => "max query buffer length reached",
        }
    }
}

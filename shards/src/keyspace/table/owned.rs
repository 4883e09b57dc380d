//! What entries own outside their leaf: objects, and keys too long for it. An entry keeps the address as eight bytes;
//! this file is the only one that turns a box into an address and back.
//!
//! Invariant: an address that stands in a live entry came from `keep_object` or `keep_bytes`, stands in one entry only,
//! and is given to `take_object` or `drop_bytes` exactly once, when its entry goes. The table counts them (`boxed`).
#![allow(unsafe_code)] // reason: boxes are kept as addresses inside packed bytes

/// Gives the object up to the table.
pub(super) fn keep_object<O>(object: Box<O>) -> u64 {
    Box::into_raw(object).expose_provenance() as u64
}

/// The object at the address.
pub(super) fn object<'a, O>(address: u64) -> &'a O {
    let pointer = core::ptr::with_exposed_provenance::<O>(address as usize);
    // SAFETY: the address stands in a live entry (invariant), so the box is alive; the caller binds the lifetime to its
    // borrow of the table, and nobody can change or take the object without borrowing the table mutably.
    unsafe { &*pointer }
}

/// The object at the address, to change.
pub(super) fn object_mut<'a, O>(address: u64) -> &'a mut O {
    let pointer = core::ptr::with_exposed_provenance_mut::<O>(address as usize);
    // SAFETY: as in `object`; the caller holds the table mutably for the lifetime, and no two entries share an address.
    unsafe { &mut *pointer }
}

/// Takes the object back; the entry that held the address must go.
pub(super) fn take_object<O>(address: u64) -> Box<O> {
    let pointer = core::ptr::with_exposed_provenance_mut::<O>(address as usize);
    // SAFETY: the address came from `keep_object` with the same O and is given back once (invariant).
    unsafe { Box::from_raw(pointer) }
}

/// Copies bytes out of line: address and length.
pub(super) fn keep_bytes(bytes: &[u8]) -> (u64, u32) {
    let len = u32::try_from(bytes.len()).expect("a key is at most 512 MiB");
    let address = Box::into_raw(Box::<[u8]>::from(bytes)).cast::<u8>().expose_provenance();
    (address as u64, len)
}

/// The bytes at the address.
pub(super) fn bytes<'a>(address: u64, len: u32) -> &'a [u8] {
    let pointer = core::ptr::with_exposed_provenance::<u8>(address as usize);
    // SAFETY: address and length came from `keep_bytes` together and stand in a live entry (invariant); nobody changes
    // them in place, and the caller binds the lifetime to its borrow of the table.
    unsafe { core::slice::from_raw_parts(pointer, len as usize) }
}

/// Frees the bytes at the address; the entry that held it must go.
pub(super) fn drop_bytes(address: u64, len: u32) {
    let pointer = core::ptr::with_exposed_provenance_mut::<u8>(address as usize);
    let slice = core::ptr::slice_from_raw_parts_mut(pointer, len as usize);
    // SAFETY: address and length came from `keep_bytes` together and are given back once (invariant).
    drop(unsafe { Box::from_raw(slice) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let address = keep_object(Box::new(String::from("a")));
        object_mut::<String>(address).push('b');
        assert_eq!(object::<String>(address), "ab");
        assert_eq!(*take_object::<String>(address), "ab");
        let (address, len) = keep_bytes(b"long");
        assert_eq!(bytes(address, len), b"long");
        drop_bytes(address, len);
        let (address, len) = keep_bytes(b"");
        assert_eq!(bytes(address, len), b"");
        drop_bytes(address, len);
    }
}

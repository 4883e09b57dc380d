//! Stand-in for the packed leaf table, with the same door, until the real one lands.
use std::collections::HashMap;
/// Where an entry is.
#[derive(Clone, Copy, Debug)] pub struct Pos(usize);
/// A stored value.
#[derive(Debug)] pub enum Value<'a, O> { /// inline
 Bytes(&'a [u8]), /// integer
 Int(i64), /// pointer
 Object(&'a O) }
/// A value to store.
#[derive(Debug)] pub enum NewValue<'a, O> { /// inline
 Bytes(&'a [u8]), /// integer
 Int(i64), /// pointer
 Object(Box<O>) }
enum V<O> { B(Vec<u8>), I(i64), O(Box<O>) }
struct E<O> { k: Vec<u8>, v: V<O>, t: u8, x: Option<i64>, l: u32 }
/// The table.
pub struct Table<O> { m: HashMap<Vec<u8>, usize>, e: Vec<Option<E<O>>>, seed: [u64; 4] }
fn v<O>(n: NewValue<'_, O>) -> V<O> { match n { NewValue::Bytes(b) => V::B(b.to_vec()), NewValue::Int(i) => V::I(i), NewValue::Object(o) => V::O(o) } }
#[allow(missing_docs)]
impl<O> Table<O> {
    pub const INLINE_MAX: usize = 1024;
    pub fn new(seed: [u64; 4]) -> Self { Table { m: HashMap::new(), e: vec![], seed } }
    pub fn len(&self) -> usize { self.m.len() }
    pub fn is_empty(&self) -> bool { self.m.is_empty() }
    pub fn expires_len(&self) -> usize { self.e.iter().flatten().filter(|e| e.x.is_some()).count() }
    pub fn hash(&self, key: &[u8]) -> u64 { ahash::RandomState::with_seeds(self.seed[0], self.seed[1], self.seed[2], self.seed[3]).hash_one(key) }
    pub fn prefetch_bucket(&self, _: u64) {}
    pub fn prefetch_leaf(&self, _: u64) {}
    pub fn find(&self, _: u64, key: &[u8]) -> Option<Pos> { self.m.get(key).map(|p| Pos(*p)) }
    fn at(&self, p: Pos) -> &E<O> { self.e[p.0].as_ref().expect("live") }
    fn at_mut(&mut self, p: Pos) -> &mut E<O> { self.e[p.0].as_mut().expect("live") }
    pub fn key(&self, p: Pos) -> &[u8] { &self.at(p).k }
    pub fn value(&self, p: Pos) -> Value<'_, O> { match &self.at(p).v { V::B(b) => Value::Bytes(b), V::I(i) => Value::Int(*i), V::O(o) => Value::Object(o) } }
    pub fn expire_at(&self, p: Pos) -> Option<i64> { self.at(p).x }
    pub fn lru(&self, p: Pos) -> u32 { self.at(p).l }
    pub fn type_tag(&self, p: Pos) -> u8 { self.at(p).t }
    pub fn set_lru(&mut self, p: Pos, l: u32) { self.at_mut(p).l = l }
    pub fn bytes_mut(&mut self, p: Pos) -> Option<&mut [u8]> { match &mut self.at_mut(p).v { V::B(b) => Some(b), _ => None } }
    pub fn object_mut(&mut self, p: Pos) -> Option<&mut O> { match &mut self.at_mut(p).v { V::O(o) => Some(o), _ => None } }
    pub fn set_int(&mut self, p: Pos, i: i64) { self.at_mut(p).v = V::I(i) }
    pub fn insert(&mut self, _: u64, key: &[u8], n: NewValue<'_, O>, t: u8, x: Option<i64>, l: u32) -> Pos { let p = self.e.len(); self.e.push(Some(E { k: key.to_vec(), v: v(n), t, x, l })); assert!(self.m.insert(key.to_vec(), p).is_none()); Pos(p) }
    pub fn replace(&mut self, p: Pos, n: NewValue<'_, O>, t: u8, x: Option<i64>, l: u32) -> (Pos, Option<Box<O>>) { let e = self.at_mut(p); let o = std::mem::replace(&mut e.v, v(n)); e.t = t; e.x = x; e.l = l; (p, if let V::O(o) = o { Some(o) } else { None }) }
    pub fn set_expire(&mut self, p: Pos, x: Option<i64>) -> Pos { self.at_mut(p).x = x; p }
    pub fn remove(&mut self, p: Pos) -> Option<Box<O>> { let e = self.e[p.0].take().expect("live"); self.m.remove(&e.k); if let V::O(o) = e.v { Some(o) } else { None } }
    pub fn settle(&mut self) {}
    pub fn drop_some(&mut self, _: usize) -> bool { self.e.clear(); self.m.clear(); false }
    pub fn scan(&self, cursor: u64, each: &mut dyn FnMut(Pos)) -> u64 { let c = cursor as usize; let end = (c + 8).min(self.e.len()); for i in c..end { if self.e[i].is_some() { each(Pos(i)) } } if end >= self.e.len() { 0 } else { end as u64 } }
    pub fn random(&self, rand: &mut dyn FnMut() -> u64) -> Option<Pos> { if self.m.is_empty() { return None } loop { let i = rand() as usize % self.e.len(); if self.e[i].is_some() { return Some(Pos(i)) } } }
    pub fn walk_expired(&self, cursor: u64, _: usize, now: i64, each: &mut dyn FnMut(Pos)) -> (u64, usize) { let mut n = 0; for (i, e) in self.e.iter().enumerate() { if let Some(E { x: Some(x), .. }) = e { n += 1; if *x <= now { each(Pos(i)) } } } let _ = cursor; (0, n) }
    pub fn for_each(&self, each: &mut dyn FnMut(Pos)) { for (i, e) in self.e.iter().enumerate() { if e.is_some() { each(Pos(i)) } } }
    pub fn memory_bytes(&self) -> usize { self.e.iter().flatten().map(|e| e.k.len() + 64).sum() }
    pub fn check_invariants(&self) {}
}

//! Chains through a slab: each link knows its neighbours, so that taking one out costs the same wherever it is.

use super::slab::{NONE, Slab};

/// The neighbours of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    before: u32,
    after: u32,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            before: NONE,
            after: NONE,
        }
    }
}

/// The ends of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    first: u32,
    last: u32,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            first: NONE,
            last: NONE,
        }
    }
}

impl Chain {
    /// The first link; [`NONE`] if there is none.
    pub const fn first(self) -> u32 {
        self.first
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.first == NONE
    }

    /// Adds a link, which must be in no such chain, at the end.
    pub fn append<T>(&mut self, slab: &mut Slab<T>, number: u32, links: impl Fn(&mut T) -> &mut Links) {
        if let Some(thing) = slab.get_mut(number) {
            *links(thing) = Links {
                before: self.last,
                after: NONE,
            };
        }
        match slab.get_mut(self.last) {
            Some(last) => links(last).after = number,
            None => self.first = number,
        }
        self.last = number;
    }

    /// Takes out a link, which must be in this chain.
    pub fn remove<T>(&mut self, slab: &mut Slab<T>, number: u32, links: impl Fn(&mut T) -> &mut Links) {
        let Some(thing) = slab.get_mut(number) else {
            return;
        };
        let Links { before, after } = std::mem::take(links(thing));
        match slab.get_mut(before) {
            Some(thing) => links(thing).after = after,
            None => self.first = after,
        }
        match slab.get_mut(after) {
            Some(thing) => links(thing).before = before,
            None => self.last = before,
        }
    }

    /// All links, in the order in which they were added.
    pub fn iter<'a, T>(
        self,
        slab: &'a Slab<T>,
        links: impl Fn(&T) -> &Links + 'a,
    ) -> impl Iterator<Item = (u32, &'a T)> {
        let mut next = self.first;
        std::iter::from_fn(move || {
            let thing = slab.get(next)?;
            let number = std::mem::replace(&mut next, links(thing).after);
            Some((number, thing))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A chain holds what a list would.
        #[test]
        fn a_chain_is_a_list(steps in prop::collection::vec((any::<bool>(), 0_usize..20), 0..200)) {
            let mut slab = Slab::default();
            let mut chain = Chain::default();
            let mut list: Vec<u32> = Vec::new();
            for (is_new, place) in steps {
                if is_new || list.is_empty() {
                    let number = slab.insert(Links::default());
                    chain.append(&mut slab, number, |links| links);
                    list.push(number);
                } else {
                    let number = list.remove(place % list.len());
                    chain.remove(&mut slab, number, |links| links);
                    slab.remove(number);
                }
                let found: Vec<u32> = chain.iter(&slab, |links| links).map(|(number, _)| number).collect();
                prop_assert_eq!(&found, &list);
                prop_assert_eq!(chain.is_empty(), list.is_empty());
            }
        }
    }
}

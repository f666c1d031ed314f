//! Things under numbers. Room is made a chunk at a time: nothing moves, no chunk is larger than it must be for long, and
//! the number of what is taken out serves the next one.

/// Things in a chunk.
const CHUNK: usize = 256;
/// The number of nothing.
pub const NONE: u32 = u32::MAX;

/// Things under numbers.
#[derive(Debug)]
pub struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Puts something in, and gives its number: [`NONE`] if all are taken, and then it is lost.
    pub fn insert(&mut self, thing: T) -> u32 {
        if let Some(number) = self.free.pop() {
            if let Some(place) = self.place(number) {
                *place = Some(thing);
            }
            return number;
        }
        self.push(thing)
    }

    fn push(&mut self, thing: T) -> u32 {
        let number = self.end();
        let is_full = self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK);
        match u32::try_from(number) {
            Ok(number) if number != NONE => {
                if is_full {
                    self.chunks.push(Vec::with_capacity(CHUNK));
                }
                if let Some(chunk) = self.chunks.last_mut() {
                    chunk.push(Some(thing));
                }
                number
            }
            _ => NONE,
        }
    }

    /// Takes out what has that number.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let thing = self.place(number)?.take()?;
        self.free.push(number);
        Some(thing)
    }

    /// What has that number.
    pub fn get(&self, number: u32) -> Option<&T> {
        let (chunk, place) = split(number);
        self.chunks.get(chunk)?.get(place)?.as_ref()
    }

    /// What has that number.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.place(number)?.as_mut()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..)
            .zip(self.chunks.iter().flatten())
            .filter_map(|(number, thing)| Some((number, thing.as_ref()?)))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.end() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the highest number that was ever given.
    pub fn end(&self) -> usize {
        self.chunks
            .last()
            .map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    fn place(&mut self, number: u32) -> Option<&mut Option<T>> {
        let (chunk, place) = split(number);
        self.chunks.get_mut(chunk)?.get_mut(place)
    }
}

const fn split(number: u32) -> (usize, usize) {
    let number = number as usize;
    (number / CHUNK, number % CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let mut slab = Slab::default();
        let numbers: Vec<u32> = (0..600).map(|thing| slab.insert(thing)).collect();
        assert_eq!(numbers, (0..600).collect::<Vec<u32>>());
        assert_eq!((slab.remove(300), slab.remove(300)), (Some(300), None));
        assert_eq!((slab.len(), slab.get(300)), (599, None));
        assert_eq!(slab.insert(7), 300);
        assert_eq!((slab.get(300), slab.end()), (Some(&7), 600));
        assert_eq!(slab.iter().count(), 600);
    }

    #[test]
    fn what_is_not_there_is_nothing() {
        let mut slab = Slab::<u8>::default();
        assert_eq!(slab.get(NONE), None);
        assert_eq!((slab.remove(NONE), slab.len()), (None, 0));
    }
}

//! The kernel side's tables of stacks.

use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, MapError},
};
use log::debug;
use tracer_common::{
    names::map,
    stack::{NO_SLOT, SLOTS},
};

use crate::model::stack::StackId;

/// The tables, as long as the programs are loaded.
pub struct StackMaps {
    told: HashMap<MapData, u64, u8>,
    slots: Array<MapData, u8>,
}

impl StackMaps {
    /// Takes them out of the object.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, MapError> {
        let mut taken = |name: &str| {
            ebpf.take_map(name).ok_or_else(|| MapError::InvalidName {
                name: name.to_owned(),
            })
        };
        Ok(Self {
            told: HashMap::try_from(taken(map::STACKS)?)?,
            slots: Array::try_from(taken(map::SLOTS)?)?,
        })
    }

    /// Makes room: this stack will be told again if it opens something.
    pub fn forget(&mut self, id: StackId) {
        if let Err(error) = self.told.remove(&id.0) {
            debug!("stack {} is not forgotten: {error}", id.0);
        }
    }

    /// Says in which word on top of the stack the instruction at `address` finds its return address; `None`: in none.
    pub fn set_slot(&mut self, address: u64, slot: Option<u8>) {
        let Ok(index) = u32::try_from(address % u64::from(SLOTS)) else {
            return;
        };
        if let Err(error) = self.slots.set(index, slot.unwrap_or(NO_SLOT), 0) {
            debug!("what was learned of frames is not passed on: {error}");
        }
    }
}

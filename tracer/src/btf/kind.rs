//! The kinds of types, and how long the record of each is.

/// Kind of a type, the `BTF_KIND_*` constants of btf.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Integer (1).
    Int,
    /// Pointer (2).
    Ptr,
    /// Array (3).
    Array,
    /// Struct (4).
    Struct,
    /// Union (5).
    Union,
    /// Enumeration of up to 32 bits (6).
    Enum,
    /// Declaration of a struct or union without its members (7).
    Fwd,
    /// Typedef (8).
    Typedef,
    /// `volatile` (9).
    Volatile,
    /// `const` (10).
    Const,
    /// `restrict` (11).
    Restrict,
    /// Function (12), which refers to its prototype.
    Func,
    /// Function prototype (13).
    FuncProto,
    /// Variable (14).
    Var,
    /// Section of variables (15).
    Datasec,
    /// Floating-point number (16).
    Float,
    /// Tag on a declaration (17).
    DeclTag,
    /// Tag on a type (18).
    TypeTag,
    /// Enumeration of 64 bits (19).
    Enum64,
    /// A kind newer than this reader, whose record length the data's own layout section gives.
    Other(u8),
}

impl Kind {
    /// The kind with this number, [`Kind::Other`] if it is not known here.
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Int,
            2 => Self::Ptr,
            3 => Self::Array,
            4 => Self::Struct,
            5 => Self::Union,
            6 => Self::Enum,
            7 => Self::Fwd,
            8 => Self::Typedef,
            9 => Self::Volatile,
            10 => Self::Const,
            11 => Self::Restrict,
            12 => Self::Func,
            13 => Self::FuncProto,
            14 => Self::Var,
            15 => Self::Datasec,
            16 => Self::Float,
            17 => Self::DeclTag,
            18 => Self::TypeTag,
            19 => Self::Enum64,
            other => Self::Other(other),
        }
    }

    /// What follows the common 12 bytes of a record of this kind: a fixed part and a part repeated `vlen`
    /// times, each in bytes; `None` for a kind that is not known here.
    ///
    /// Lengths of the structs that btf.h documents to follow `struct btf_type`.
    pub(super) fn tail(self) -> Option<Tail> {
        let (fixed, each) = match self {
            Self::Int | Self::Var | Self::DeclTag => (4, 0),
            Self::Array => (12, 0),
            Self::Struct | Self::Union | Self::Datasec | Self::Enum64 => (0, 12),
            Self::Enum | Self::FuncProto => (0, 8),
            Self::Ptr
            | Self::Fwd
            | Self::Typedef
            | Self::Volatile
            | Self::Const
            | Self::Restrict
            | Self::Func
            | Self::Float
            | Self::TypeTag => (0, 0),
            Self::Other(_) => return None,
        };
        Some(Tail { fixed, each })
    }

    /// What a person would call a type of this kind, with its article.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Int => "an integer",
            Self::Ptr => "a pointer",
            Self::Array => "an array",
            Self::Struct => "a struct",
            Self::Union => "an union",
            Self::Enum | Self::Enum64 => "an enumeration",
            Self::Fwd => "a declaration without members",
            Self::Typedef => "a typedef",
            Self::Volatile | Self::Const | Self::Restrict => "a qualifier",
            Self::Func | Self::FuncProto => "a function",
            Self::Var => "a variable",
            Self::Datasec => "a section",
            Self::Float => "a floating-point number",
            Self::DeclTag | Self::TypeTag => "a tag",
            Self::Other(_) => "a type of an unknown kind",
        }
    }
}

/// Length of what follows the common part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) fixed: u8,
    pub(super) each: u8,
}

impl Tail {
    /// Bytes for a record with this `vlen`.
    pub(super) fn len(self, vlen: u32) -> u64 {
        u64::from(self.fixed) + u64::from(self.each) * u64::from(vlen)
    }
}

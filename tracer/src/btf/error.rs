//! What can go wrong, each as one sentence that says what was looked for and what was found.

use core::str::Utf8Error;

use thiserror::Error;

use super::resolve::Member;

/// The bytes are not BTF that this reader understands.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BtfError {
    /// Fewer bytes than a BTF header takes.
    #[error("BTF data is {len} bytes long, too short for its {needed}-byte header")]
    TooShort {
        /// Length of the data.
        len: usize,
        /// Length of the smallest header.
        needed: usize,
    },
    /// The magic number has its bytes swapped.
    #[error("BTF data was written for a machine of the other byte order (magic 0x9feb instead of 0xeb9f)")]
    ForeignEndian,
    /// The data does not start with the magic number.
    #[error("BTF data starts with {found:#06x} instead of the magic number 0xeb9f")]
    BadMagic {
        /// The first two bytes as a native-endian number.
        found: u16,
    },
    /// A version of the format other than 1.
    #[error("BTF version {found} is not supported, only version 1 is")]
    UnsupportedVersion {
        /// The version in the header.
        found: u8,
    },
    /// The header says it is shorter than its fixed part or longer than the data.
    #[error(
        "BTF header claims a length of {hdr_len} bytes, which must be between {needed} and the data's {len}"
    )]
    HeaderLength {
        /// Length that the header claims.
        hdr_len: u32,
        /// Length of the smallest header.
        needed: usize,
        /// Length of the data.
        len: usize,
    },
    /// A section reaches past the end of the data.
    #[error("BTF {section} section spans bytes {start} to {end}, past the data's {len} bytes")]
    SectionOutOfRange {
        /// Which section.
        section: &'static str,
        /// Offset of its first byte in the data.
        start: u64,
        /// Offset just past its last byte in the data.
        end: u64,
        /// Length of the data.
        len: usize,
    },
    /// The string section is empty or does not start and end with a NUL byte.
    #[error("BTF string section does not start and end with a NUL byte")]
    UnterminatedStrings,
    /// A type record reaches past the end of the type section.
    #[error(
        "BTF type {id} at byte {offset} of the type section takes {needed} bytes, but only {left} are left"
    )]
    TruncatedType {
        /// Id of the type.
        id: u32,
        /// Offset of the record in the type section.
        offset: usize,
        /// Length of the record.
        needed: u64,
        /// Bytes from the record's start to the section's end.
        left: usize,
    },
    /// A type of a kind whose record length is unknown, so that nothing after it can be read.
    #[error("BTF type {id} at byte {offset} of the type section has the unknown kind {kind}")]
    UnknownKind {
        /// Id of the type.
        id: u32,
        /// Offset of the record in the type section.
        offset: usize,
        /// The kind's number.
        kind: u8,
    },
    /// A name offset outside the string section.
    #[error("BTF name at offset {offset} lies outside the string section of {len} bytes")]
    NameOutOfRange {
        /// The offset in the string section.
        offset: u32,
        /// Length of the string section.
        len: usize,
    },
    /// A name that is not valid UTF-8; the offset tells where its bytes are.
    #[error("BTF name at offset {offset} of the string section is not valid UTF-8")]
    NameNotUtf8 {
        /// The offset in the string section.
        offset: u32,
        /// Where in the name the first bad byte is.
        #[source]
        source: Utf8Error,
    },
}

/// A member could not be resolved to an offset and a size.
///
/// `structure` is the name of the struct that was asked for, `member` the dotted path up to the component
/// that the sentence is about.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The path is empty, has an empty component or contains a NUL byte.
    #[error("`{path}` is not a path to a member of struct {structure}")]
    InvalidPath {
        /// The struct that was asked for.
        structure: String,
        /// The path as given.
        path: String,
    },
    /// No struct or union of that name.
    #[error("this kernel's BTF has no struct {structure}")]
    NoStruct {
        /// The struct that was asked for.
        structure: String,
    },
    /// The name is only declared, so its members are unknown.
    #[error("this kernel's BTF only declares struct {structure} without its members")]
    OnlyDeclared {
        /// The struct that was asked for.
        structure: String,
    },
    /// The struct exists, the member does not.
    #[error("struct {structure} has no member {member} in this kernel's BTF")]
    NoMember {
        /// The struct that was asked for.
        structure: String,
        /// Path up to the missing member.
        member: String,
    },
    /// The member is a bitfield or does not start on a byte boundary.
    #[error(
        "member {member} of struct {structure} is a bitfield in this kernel's BTF, so it has no byte offset"
    )]
    Bitfield {
        /// The struct that was asked for.
        structure: String,
        /// Path up to the bitfield.
        member: String,
    },
    /// The path continues after a member that has no members itself.
    #[error("member {member} of struct {structure} is {kind} in this kernel's BTF, not a struct or union")]
    NotAStruct {
        /// The struct that was asked for.
        structure: String,
        /// Path up to the member that cannot be descended into.
        member: String,
        /// What it is instead.
        kind: &'static str,
    },
    /// The member's type has no size: void, a function, an incomplete type or an id that does not exist.
    #[error("the type of member {member} of struct {structure} has no size in this kernel's BTF")]
    NoSize {
        /// The struct that was asked for.
        structure: String,
        /// Path up to the member.
        member: String,
    },
    /// The member ends after the struct that contains it.
    #[error("member {member} of struct {structure} reaches past the end of its struct in this kernel's BTF")]
    OutsideStruct {
        /// The struct that was asked for.
        structure: String,
        /// Path up to the member.
        member: String,
    },
    /// Types refer to each other in a circle or are nested deeper than any real kernel's.
    #[error("types are nested without end around member {member} of struct {structure} in this kernel's BTF")]
    TypeLoop {
        /// The struct that was asked for.
        structure: String,
        /// Path up to the member that was looked for.
        member: String,
    },
    /// The search was given up because it looked at more members than any real kernel has.
    #[error(
        "gave up looking for member {member} of struct {structure}: this kernel's BTF holds too many members"
    )]
    TooComplex {
        /// The struct that was asked for.
        structure: String,
        /// Path up to the member that was looked for.
        member: String,
    },
    /// Several structs of that name have the member in different places, and nothing tells which one is
    /// meant.
    #[error(
        "this kernel's BTF has several structs {structure} whose member {member} differs: \
         offset {}, size {} in one and offset {}, size {} in another",
        first.offset, first.size, second.offset, second.size
    )]
    Ambiguous {
        /// The struct that was asked for.
        structure: String,
        /// The whole path.
        member: String,
        /// Where the first definition has it.
        first: Member,
        /// Where the first definition that differs has it.
        second: Member,
    },
}

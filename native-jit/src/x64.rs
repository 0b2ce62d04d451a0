//! x86-64: its registers, its instructions as bytes, and where code and jumps come to lie.
//!
//! Three files, each of which knows only those before it: [`reg`] names registers and operands, [`asm`] writes
//! instructions in the words of Intel's manual (volume 2 of the Software Developer's Manual), `layout` decides how
//! long jumps are and where loops begin. Nothing in here knows of BPF.

pub mod asm;
pub mod layout;
pub mod reg;

pub use asm::{Alu, Assembler, Cond, Shift, Unary};
pub use layout::{Label, Laid};
pub use reg::{Gpr, Mem, Rm, Set, Wide};

//! Programs with tables, here and in the running kernel.

use bpf64_core::load::{Request, load};
use bpf64_core::maps::{DEVMAP, MapDef};
use bpf64_tests::alongside;
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::{Kernel, ProgramType, Refusal};
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

/// Frames of 14 bytes and more that are no IP, so that the kernel looks for no header.
fn frames() -> Vec<Vec<u8>> {
    (0..6u8)
        .map(|number| [&[0; 12][..], &[0x88, 0xb5], &vec![number % 4; usize::from(number)]].concat())
        .collect()
}

/// The program runs alike here and there over all frames.
fn check(kernel: &Kernel, text: &str) {
    let loaded = load(text.as_bytes(), &Request::default()).expect("it is read");
    let program = Rc::new(loaded.ebpf());
    alongside::compare(kernel, &program, &loaded.program_type, &frames())
        .unwrap_or_else(|why| panic!("{text}\n{why}"));
}

#[test]
fn tables_hold_the_same_after_each_packet() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    // Counts frames by length, so that some keys come again; deletes one; writes the array behind its address.
    check(
        &kernel,
        ".type sched_cls
         .map seen hash key=4 value=8 max=3
         .map last array key=4 value=12 max=1
         r6 = r1
         r7 = *(u32 *)(r6 + 0)
         *(u32 *)(r10 - 4) = r7
         r1 = map[seen]
         r2 = r10
         r2 += -4
         call map_lookup_elem
         if r0 != 0 goto known
         *(u64 *)(r10 - 16) = 1
         r1 = map[seen]
         r2 = r10
         r2 += -4
         r3 = r10
         r3 += -16
         r4 = 0
         call map_update_elem
         r8 = r0
         goto out
         known: r1 = 2
         lock *(u64 *)(r0 + 0) += r1
         r1 = map[seen]
         r2 = r10
         r2 += -4
         call map_delete_elem
         r8 = r0
         out: r1 = map[last][0]+4
         *(u32 *)(r1 + 0) = r7
         r0 = r8
         exit",
    );
    // By number, which needs the list of descriptors.
    check(
        &kernel,
        ".map sums array key=4 value=8 max=1
         r1 = map_index_value[0, 0]
         r2 = 5
         r2 = atomic64_fetch_add((u64 *)(r1 + 0), r2)
         r0 = r2
         exit",
    );
}

#[test]
fn a_table_that_cannot_be_made_is_named() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    // There is no such device.
    let entry = (vec![0; 4], i32::MAX.to_le_bytes().to_vec());
    let odd = MapDef { entries: vec![entry], ..MapDef::new("odd", DEVMAP, 4, 4, 1) };
    let program = load(b"r0 = 0\nexit", &Request::default()).unwrap().ebpf().with_maps(vec![odd]).unwrap();
    match kernel.load(ProgramType::SocketFilter, &program, &[]) {
        Err(Refusal::Map { name, error }) => assert_eq!((&*name, error.raw_os_error()), ("odd", Some(22))),
        other => panic!("{other:?}"),
    }
}

/// The verifier wants types of a program that passes a function's address.
#[test]
fn a_function_may_be_passed() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    // Function 181 is bpf_loop.
    let text = "r1 = 3\nr2 = code[each]\nr3 = 0\nr4 = 0\ncall 181\nexit\neach: r0 = 0\nexit";
    let program = load(text.as_bytes(), &Request::default()).unwrap().ebpf();
    let loaded = kernel.load(ProgramType::SocketFilter, &program, &[]).unwrap();
    assert_eq!(loaded.run(&[], &[0; 14]).unwrap().r0, 3);
}

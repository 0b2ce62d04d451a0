//! What the code generator makes of what compilers write: each thing that it knows to do shows in a listing, with its
//! reason where it leaves something out. That the code is right, random programs show; here, that it is good.

use bpf64_core::load::{Request, load};
use bpf64_core::verifier::verify;
use bpf64_jit::disassemble::disassemble;
use bpf64_jit::{Code, Options, compile};

/// For any CPU.
const PLAIN: Options = Options { bmi2: false, movbe: false, budget: false, tail_target: false, notes: true };
/// For one with BMI2.
const BMI2: Options = Options { bmi2: true, ..PLAIN };

/// r2 and r3 are numbers of 32 bits that nobody knows, r4 one of 64.
const NUMBERS: &str = "r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 8)\nr4 = r2\nr4 *= r3\nr4 *= r3\n";

fn code(text: &str, options: &Options) -> Code {
    let loaded =
        load(text.as_bytes(), &Request::default()).unwrap_or_else(|faults| panic!("{}\n{text}", faults[0]));
    let verified =
        verify(&loaded.ebpf(), &loaded.program_type, 0).unwrap_or_else(|no| panic!("{no}\n{text}"));
    compile(&verified, &loaded.program_type, options).expect("it names nothing of Linux's")
}

/// Its instructions in lines, and its reasons.
fn shown(code: &Code) -> String {
    let mut text: String = disassemble(&code.bytes).into_iter().map(|machine| machine.text + "\n").collect();
    for (pc, note) in &code.notes {
        text += &format!("; {pc}: {note}\n");
    }
    text
}

/// The code has all of `there` and nothing of `gone`.
fn check(text: &str, options: &Options, there: &[&str], gone: &[&str]) {
    let shown = shown(&code(text, options));
    for wanted in there {
        assert!(shown.contains(wanted), "no `{wanted}` in\n{shown}for\n{text}");
    }
    for unwanted in gone {
        assert!(!shown.contains(unwanted), "`{unwanted}` in\n{shown}for\n{text}");
    }
}

fn on_numbers(text: &str, options: &Options, there: &[&str], gone: &[&str]) {
    check(&format!("{NUMBERS}{text}\nexit"), options, there, gone);
}

#[test]
fn divisors() {
    on_numbers(
        "r2 &= 7\nr2 += 1\nr0 = r4\nr0 /= r2",
        &PLAIN,
        &["div ", "no zero test: r2 is 1..8"],
        &["test "],
    );
    on_numbers("r0 = r4\nr0 /= r2", &PLAIN, &["div ", "test "], &["no zero test"]);
    on_numbers("r0 = r4\nr0 /= 10", &PLAIN, &["mul ", "a multiplication"], &["div ", "mulx"]);
    on_numbers("r0 = r4\nr0 /= 10", &BMI2, &["mulx ", "a multiplication"], &["div "]);
    on_numbers("r0 = r4\nr0 /= 16", &PLAIN, &["shr rax, 0x4"], &["div ", "\nmul "]);
    on_numbers("r0 = r4\nr0 %= 16", &PLAIN, &["and eax, 0xf"], &["div ", "\nmul "]);
}

/// In loops that only count with the divisor.
#[test]
fn divisors_that_are_known_early() {
    let divides = |by: &str, before: &str| {
        format!("r0 = r4\nr5 = 100\nl: r3 = r0\n{before}r3 /= {by}\nr0 ^= r3\nr5 += -1\nif r5 != 0 goto l")
    };
    let early = "two multiplications: r5 is 1..100, and its reciprocal is there early";
    on_numbers(&divides("r5", ""), &PLAIN, &["\nmul ", early], &["no zero test"]);
    on_numbers(&divides("r7", "r7 = r5\nr7 |= 1\n"), &PLAIN, &["div r", "no zero test"], &["\nmul r"]);
}

#[test]
fn shifts() {
    on_numbers("r0 = r4\nr0 <<= r3", &BMI2, &["shlx rax, rcx, rdx"], &[" cl"]);
    on_numbers("r0 = r4\nr0 >>= r3", &BMI2, &["shrx "], &[" cl"]);
    on_numbers("r0 = r4\nr0 s>>= r3", &BMI2, &["sarx "], &[" cl"]);
    on_numbers("r0 = r4\nr0 <<= r3", &PLAIN, &["shl rax, cl"], &["shlx"]);
}

#[test]
fn short_forms() {
    on_numbers("r0 = r2\nr0 += 5", &PLAIN, &["lea rax, [rsi+0x5]"], &["add "]);
    on_numbers("r0 = r2\nr0 *= 9", &PLAIN, &["lea rax, [rsi+rsi*8]"], &["imul rax"]);
    on_numbers("r0 = 1\nif r2 != 0 goto +1\nr0 = 2", &PLAIN, &["test esi, esi", "jne"], &["cmp "]);
    on_numbers("r0 = 1\nr2 &= 4\nif r2 == 0 goto +1\nr0 = 2", &PLAIN, &["test esi, 0x4"], &["and ", "cmp "]);
    on_numbers(
        "r0 = 1\nr4 >>= 33\nr4 &= 1\nif r4 != 0 goto +1\nr0 = 2",
        &PLAIN,
        &["bt rcx, 0x21", "jb "],
        &["shr "],
    );
    on_numbers(
        "r0 = 1\nr4 >>= r2\nr4 &= 1\nif r4 == 0 goto +1\nr0 = 2",
        &PLAIN,
        &["bt rcx, rsi", "jae "],
        &["shr "],
    );
}

#[test]
fn extensions() {
    on_numbers("r0 = r4\nr0 <<= 32\nr0 >>= 32", &PLAIN, &["mov eax, ecx"], &["shl ", "shr "]);
    on_numbers("r0 = r4\nr0 <<= 32\nr0 s>>= 32", &PLAIN, &["movsxd rax, ecx"], &["shl ", "sar "]);
    on_numbers(
        "r2 <<= 32\nr2 >>= 32\nr0 = r2",
        &PLAIN,
        &["no zero extension: the upper half of rsi is 0"],
        &["shl "],
    );
    on_numbers(
        "w2 = w2\nr0 = r2",
        &PLAIN,
        &["no zero extension: the upper half of rsi is 0"],
        &["mov esi, esi"],
    );
}

/// In programs that look at the packet by its addresses.
#[test]
fn operands_in_memory() {
    let packet = |text: &str| {
        format!(
            ".type xdp\nr0 = 0\nr2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 34\nif r4 > r3 goto out\n{text}\nout: exit"
        )
    };
    check(
        &packet("r0 = 1\nr4 = *(u8 *)(r2 + 23)\nif r4 == 6 goto out\nr0 = 2"),
        &PLAIN,
        &["cmp byte ptr [rsi+0x17], 0x6"],
        &["movzx"],
    );
    check(
        &packet("r0 = 1\nr4 = *(u16 *)(r2 + 12)\nr4 = be16 r4\nif r4 == 0x0800 goto out\nr0 = 2"),
        &PLAIN,
        &["cmp word ptr [rsi+0xc], 0x8", "with the constant swapped"],
        &["movzx", "rol"],
    );
    check(&packet("r4 = *(u64 *)(r2 + 8)\nr0 += r4"), &PLAIN, &["add rax, [rsi+0x8]"], &[]);
}

/// Loads that nobody wants are left out where they cannot end the program.
#[test]
fn dead_loads() {
    let text = |last: &str| format!("r6 = r1\nr0 = *(u32 *)skb[12]\n{last}\nr0 = 7\nexit");
    check(&text("r0 = *(u8 *)skb[15]"), &PLAIN, &["nobody reads what it computes"], &["+0xf]"]);
    check(&text("r0 = *(u8 *)skb[16]"), &PLAIN, &["0x11", "jb "], &[]);
    check("r2 = *(u32 *)(r1 + 0)\nr0 = 7\nexit", &PLAIN, &["nobody reads"], &["[rdi]"]);
}

#[test]
fn registers_and_frames() {
    // Nothing is called: what r6 to r9 hold need not be kept for anybody.
    on_numbers("r6 = r2\nr7 = r3\nr0 = r6\nr0 += r7", &PLAIN, &[], &["push ", "rbp"]);
    let calls = "r6 = *(u32 *)(r1 + 0)\ncall get_prandom_u32\nr0 += r6\nexit";
    check(calls, &PLAIN, &["push rbx"], &["push r13", "push r14", "push r15", "rbp"]);
    on_numbers(
        "*(u64 *)(r10 - 8) = r4\nr0 = *(u64 *)(r10 - 8)",
        &PLAIN,
        &["the cell of the stack is in "],
        &["rbp"],
    );
    check(
        "r1 = *(u32 *)(r1 + 0)\ncall twice\nexit\ntwice:\nr0 = r1\nr0 += r1\nexit",
        &PLAIN,
        &["lea rax, [rdi+rdi]"],
        &["call "],
    );
}

#[test]
fn tables() {
    let counter = |key: &str| {
        format!(
            ".map m array key=4 value=8 max=8\nr6 = *(u32 *)(r1 + 0)\n{key}\nr2 = r10\nr2 += -4\nr1 = map[m]\ncall map_lookup_elem\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\nout: r0 = 0\nexit"
        )
    };
    let known = counter("*(u32 *)(r10 - 4) = 3");
    check(
        &known.replace("r0 = 0", ""),
        &PLAIN,
        &["the key is 3", "no bounds check"],
        &["call ", "rbp", "cmp "],
    );
    let masked = counter("r6 &= 7\n*(u32 *)(r10 - 4) = r6").replace("r0 = 0", "");
    check(&masked, &PLAIN, &["the key is in r6", "no bounds check: the key is below 8"], &["call ", "cmp "]);
    let any = counter("*(u32 *)(r10 - 4) = r6").replace("r0 = 0", "");
    check(&any, &PLAIN, &["found without a call", "cmp ", "jae "], &["call ", "no bounds check"]);
    // The handle is not put where the key is; unless somebody else may want it.
    let same = "r1 = r6\nr1 &= 7\n*(u32 *)(r10 - 4) = r1";
    check(&counter(same).replace("r0 = 0", ""), &PLAIN, &["the key is in r1"], &["call ", "rbp", "cmp "]);
    let wanted = counter(same).replace("call ", "if r6 > 5 goto out\ncall ").replace("r0 = 0", "r0 = 1");
    check(&wanted, &PLAIN, &["found without a call"], &["the key is in r1"]);
    let goes_on = ".map p prog_array key=4 value=4 max=4\nr3 = *(u32 *)(r1 + 0)\nr2 = map[p]\ncall tail_call\nr0 = 0\nexit";
    check(goes_on, &PLAIN, &["goes on without a call", "jmp rax"], &["call qword"]);
}

/// Flags that arithmetic left are looked at, but not where a loop goes back.
#[test]
fn flags() {
    let forward = "r0 = 1\nr4 += -1\nif r4 == 0 goto +1\nr0 = 2";
    on_numbers(forward, &PLAIN, &["dec rcx", "the flags are still there"], &["test "]);
    on_numbers("r0 = 9\nl: r0 += -1\nif r0 != 0 goto l", &PLAIN, &["dec rax", "test rax, rax"], &[]);
}

/// A short loop never crosses a line of the cache, wherever it begins; and its jump is of two bytes.
#[test]
fn loops_lie_in_one_line() {
    for before in 0..64 {
        let text = format!(
            "r0 = 0\nr2 = 100\n{}again: r0 += 7\nr0 ^= r2\nr2 += -1\nif r2 != 0 goto again\nexit",
            "r0 ^= 1\n".repeat(before)
        );
        let code = code(&text, &PLAIN);
        let machine = disassemble(&code.bytes);
        let back = machine.iter().find(|machine| machine.text.starts_with("jne 0x")).expect("it goes back");
        let start = u32::from_str_radix(&back.text[6..], 16).expect("an address");
        let end = back.address + 1;
        assert_eq!(code.bytes[back.address as usize] & 0xf0, 0x70, "a short jump");
        assert_eq!(start / 64, end / 64, "{before} before: {start:#x} to {end:#x}");
    }
}

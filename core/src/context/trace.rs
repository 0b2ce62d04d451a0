//! What programs see that are run by probes, trace points and performance events.

use super::descriptions;

descriptions! {
    /// `struct pt_regs` of x86-64 (arch/x86/include/asm/ptrace.h): the registers where a probe was hit
    /// (`kprobe_prog_is_valid_access`).
    PT_REGS = "pt_regs", 168 bytes, 0;
    => {
        "r15"      @   0, 8, Bytes, b"r", "register";
        "r14"      @   8, 8, Bytes, b"r", "register";
        "r13"      @  16, 8, Bytes, b"r", "register";
        "r12"      @  24, 8, Bytes, b"r", "register";
        "bp"       @  32, 8, Bytes, b"r", "frame pointer, or whatever is kept there";
        "bx"       @  40, 8, Bytes, b"r", "register";
        "r11"      @  48, 8, Bytes, b"r", "register";
        "r10"      @  56, 8, Bytes, b"r", "fourth argument of a system call";
        "r9"       @  64, 8, Bytes, b"r", "sixth argument";
        "r8"       @  72, 8, Bytes, b"r", "fifth argument";
        "ax"       @  80, 8, Bytes, b"r", "result";
        "cx"       @  88, 8, Bytes, b"r", "fourth argument of a function";
        "dx"       @  96, 8, Bytes, b"r", "third argument";
        "si"       @ 104, 8, Bytes, b"r", "second argument";
        "di"       @ 112, 8, Bytes, b"r", "first argument of a function";
        "orig_ax"  @ 120, 8, Bytes, b"r", "number of the system call";
        "ip"       @ 128, 8, Bytes, b"r", "address of the instruction";
        "cs"       @ 136, 8, Bytes, b"r", "code segment";
        "flags"    @ 144, 8, Bytes, b"r", "flags";
        "sp"       @ 152, 8, Bytes, b"r", "stack pointer";
        "ss"       @ 160, 8, Bytes, b"r", "stack segment";
    }
}

descriptions! {
    /// `struct bpf_perf_event_data` (include/uapi/linux/bpf_perf_event.h): the registers when a counter ran over
    /// (`pe_prog_is_valid_access`).
    PERF_EVENT_DATA = "bpf_perf_event_data", 184 bytes, 0;
    => {
        "regs.r15"      @   0, 8, Whole, b"r", "register";
        "regs.r14"      @   8, 8, Whole, b"r", "register";
        "regs.r13"      @  16, 8, Whole, b"r", "register";
        "regs.r12"      @  24, 8, Whole, b"r", "register";
        "regs.bp"       @  32, 8, Whole, b"r", "frame pointer, or whatever is kept there";
        "regs.bx"       @  40, 8, Whole, b"r", "register";
        "regs.r11"      @  48, 8, Whole, b"r", "register";
        "regs.r10"      @  56, 8, Whole, b"r", "fourth argument of a system call";
        "regs.r9"       @  64, 8, Whole, b"r", "sixth argument";
        "regs.r8"       @  72, 8, Whole, b"r", "fifth argument";
        "regs.ax"       @  80, 8, Whole, b"r", "result";
        "regs.cx"       @  88, 8, Whole, b"r", "fourth argument of a function";
        "regs.dx"       @  96, 8, Whole, b"r", "third argument";
        "regs.si"       @ 104, 8, Whole, b"r", "second argument";
        "regs.di"       @ 112, 8, Whole, b"r", "first argument of a function";
        "regs.orig_ax"  @ 120, 8, Whole, b"r", "number of the system call";
        "regs.ip"       @ 128, 8, Whole, b"r", "address of the instruction";
        "regs.cs"       @ 136, 8, Whole, b"r", "code segment";
        "regs.flags"    @ 144, 8, Whole, b"r", "flags";
        "regs.sp"       @ 152, 8, Whole, b"r", "stack pointer";
        "regs.ss"       @ 160, 8, Whole, b"r", "stack segment";
        "sample_period" @ 168, 8, Number, b"r", "events between two samples";
        "addr"          @ 176, 8, Number, b"r", "the address that the event is about";
    }
}

descriptions! {
    /// A trace point's record, before anybody says by a `format` what is in it (`tp_prog_is_valid_access`;
    /// `PERF_MAX_TRACE_SIZE` bytes).
    TRACEPOINT = "trace_entry", 8192 bytes, 0;
    => {
        "regs" @ 0,    8, Whole, b"-", "the kernel's own";
        "data" @ 8, 8184, Bytes, b"r", "fields as the trace point's format says";
    }
}

descriptions! {
    /// `struct bpf_raw_tracepoint_args`: the arguments that the kernel hands to a trace point
    /// (`raw_tp_prog_is_valid_access`).
    RAW_TRACEPOINT_ARGS = "bpf_raw_tracepoint_args", 96 bytes, 0;
    => {
        "args[0]"  @  0, 8, Bytes, b"r", "first argument";
        "args[1]"  @  8, 8, Bytes, b"r", "second argument";
        "args[2]"  @ 16, 8, Bytes, b"r", "third argument";
        "args[3]"  @ 24, 8, Bytes, b"r", "fourth argument";
        "args[4]"  @ 32, 8, Bytes, b"r", "fifth argument";
        "args[5]"  @ 40, 8, Bytes, b"r", "sixth argument";
        "args[6]"  @ 48, 8, Bytes, b"r", "seventh argument";
        "args[7]"  @ 56, 8, Bytes, b"r", "eighth argument";
        "args[8]"  @ 64, 8, Bytes, b"r", "ninth argument";
        "args[9]"  @ 72, 8, Bytes, b"r", "tenth argument";
        "args[10]" @ 80, 8, Bytes, b"r", "eleventh argument";
        "args[11]" @ 88, 8, Bytes, b"r", "twelfth argument";
    }
}

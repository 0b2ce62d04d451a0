// Classic BPF: `tcpdump -d` lines, `(000) ldh [12]`, and the text of bpf_asm, `jeq #0x86dd, ip6, other`.

import { keywordOr, tokenizer } from "./rules.js";

const WORDS = `
  ld ldi ldh ldb ldx ldxi ldxb st stx jmp ja jeq jneq jne jlt jle jgt jge jset
  add sub mul div mod neg and or xor lsh rsh tax txa ret jt jf`;

export const cbpf = tokenizer({
  comments: { line: ";", block: { open: "/*", close: "*/" } },
  atLineStart: [
    // Elsewhere a `#` begins a constant.
    [/#.*/y, "comment"],
    [/\(\d+\)/y, "comment"],
    [/[a-z_]\w*:/iy, "label"],
  ],
  rules: [
    [/;.*/y, "comment"],
    // Operands of loads and stores, whole: M[3], [x + 14], 4*([14]&0xf), and the names of what is beside the packet.
    [/M\[[^\]]{0,64}\]|4\s*\*\s*\(\s*\[[^\]]{0,64}\]\s*&\s*(0x)?[\da-f]+\s*\)|\[[^\]]{0,64}\]/iy, "memory"],
    [/#?(len|pktlen|proto|type|poff|ifidx|nlan?|mark|queue|hatype|rxhash|cpu|vlan_(tci|avail|pr|tpid)|rand)\b/y, "memory"],
    [/%?[ax]\b/iy, "register"],
    [/#?[+-]?(0x[\da-f]+|\d+)\b/iy, "number"],
    [/[a-z_]\w*/iy, keywordOr(WORDS, "label")],
  ],
});

// Classic BPF: `tcpdump -d` lines, `(000) ldh [12]`, and the text of bpf_asm, `jeq #0x86dd, ip6, other`.

import { keywordOr, tokenizer } from "./rules.js";

const WORDS = `
  ld ldi ldh ldb ldx ldxi ldxb st stx jmp ja jeq jneq jne jlt jle jgt jge jset
  add sub mul div mod neg and or xor lsh rsh tax txa ret jt jf`;

export const cbpf = tokenizer({
  comments: { line: ";", block: { open: "/*", close: "*/" } },
  atLineStart: [
    // Elsewhere a `#` begins a constant.
    [/^#.*/, "comment"],
    [/^\(\d+\)/, "comment"],
    [/^[a-z_]\w*:/i, "label"],
  ],
  rules: [
    [/^;.*/, "comment"],
    // Operands of loads and stores, whole: M[3], [x + 14], 4*([14]&0xf), and the names of what is beside the packet.
    [/^M\[[^\]]*\]|^4\s*\*\s*\(\s*\[[^\]]*\]\s*&\s*(0x)?[\da-f]+\s*\)|^\[[^\]]*\]/i, "memory"],
    [/^#?(len|pktlen|proto|type|poff|ifidx|nlan?|mark|queue|hatype|rxhash|cpu|vlan_(tci|avail|pr|tpid)|rand)\b/, "memory"],
    [/^%?[ax]\b/i, "register"],
    [/^#?[+-]?(0x[\da-f]+|\d+)\b/i, "number"],
    [/^[a-z_]\w*/i, keywordOr(WORDS, "label")],
  ],
});

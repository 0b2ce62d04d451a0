// eBPF in the kernel's style: `r0 = *(u16 *)skb[12]`, `if w0 != 0x86dd goto +3`, `call 7`, `exit`.

import { keywordOr, tokenizer } from "./rules.js";

const WORDS = `
  if goto gotol may_goto call callx exit lock nop ll s
  be16 be32 be64 le16 le32 le64 bswap16 bswap32 bswap64
  atomic_fetch_add atomic_fetch_or atomic_fetch_and atomic_fetch_xor
  xchg_64 xchg32_32 xchg cmpxchg_64 cmpxchg32_32 cmpxchg load_acquire store_release addr_space_cast`;

export const ebpf = tokenizer({
  comments: { line: ";", block: { open: "/*", close: "*/" } },
  atLineStart: [
    [/\d+:/y, "comment"],
    // Between fields a semicolon separates; everywhere else it begins a comment.
    [/\.(key|value|context)\b[^{]*\{[^}]*\}/y, "label"],
    [/[a-z_.$][\w.$]*:/iy, "label"],
  ],
  rules: [
    [/(;|\/\/|#).*/y, "comment"],
    [/\*?\(\s*[us](8|16|32|64)\s*\*?\s*\)/y, "memory"],
    [/skb\b/y, "memory"],
    [/[rw](10|\d)\b|fp\b/y, "register"],
    [/(0x[\da-f]+|\d+)(ll)?\b/iy, "number"],
    [/[a-z_.$][\w.$]*/iy, keywordOr(WORDS, "label")],
  ],
});

/* Strings: constants in .rodata.str1.1, and keys of a map. */
#include "bpf.h"

struct word {
	char text[8];
};

struct {
	NUMBER(type, HASH);
	NUMBER(max_entries, 8);
	TYPE(key, struct word);
	TYPE(value, u32);
} words SEC(".maps");

static NOINLINE int same(const char *a, const u8 *b, u32 length)
{
	for (u32 i = 0; i < 8; i++)
		if (i < length && a[i] != b[i])
			return 0;
	return 1;
}

SEC("xdp")
int greet(struct xdp *context)
{
	u8 *at = START(context) + sizeof(struct eth);
	struct word word = { "none" };
	const char *found = "stranger";
	u32 one = 1, *count;

	if (at + 8 > (u8 *)END(context))
		return XDP_DROP;
	if (same("hello", at, 5)) {
		__builtin_memcpy(word.text, at, 8);
		found = "greeting";
	} else if (same("bye", at, 3)) {
		word = (struct word){ "bye" };
		found = "farewell";
	}
	count = map_lookup(&words, &word);
	if (count)
		++*count;
	else
		map_update(&words, &word, &one, 0);
	return found[at[7] & 7];
}

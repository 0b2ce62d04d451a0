/* Maps in a map, there from the start; and a map that has none in it yet. */
#include "bpf.h"

struct inner {
	NUMBER(type, ARRAY);
	NUMBER(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, u64);
} short_ones SEC(".maps"), long_ones SEC(".maps");

struct {
	NUMBER(type, ARRAY_OF_MAPS);
	NUMBER(max_entries, 3);
	TYPE(key, u32);
	VALUES(values, struct inner);
} by_length SEC(".maps") = {
	.values = { [0] = (void *)&short_ones, [2] = (void *)&long_ones },
};

SEC("tc")
int sort(struct sk_buff *skb)
{
	u32 key = skb->len < 60 ? 0 : skb->len < 100 ? 1 : 2, zero = 0;
	void *inner = map_lookup(&by_length, &key);
	u64 *count = inner ? map_lookup(inner, &zero) : 0;

	return count ? (*count)++ : TC_SHOT;
}

struct {
	NUMBER(type, HASH_OF_MAPS);
	NUMBER(max_entries, 2);
	TYPE(key, u32);
	VALUES(values, struct {
		NUMBER(type, HASH);
		NUMBER(max_entries, 4);
		TYPE(key, u64);
		TYPE(value, u16);
	});
} later SEC(".maps");

SEC("tc")
int nothing_yet(struct sk_buff *skb)
{
	u32 key = skb->len;

	return map_lookup(&later, &key) ? TC_SHOT : 7;
}

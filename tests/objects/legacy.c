/* Maps declared by numbers, as before BTF: remembers how often each length was seen, and forgets at the third time. */
#include "bpf.h"

struct bpf_map_def {
	u32 type;
	u32 key_size;
	u32 value_size;
	u32 max_entries;
	u32 map_flags;
};

struct bpf_map_def SEC("maps") lengths = {
	.type = HASH,
	.key_size = sizeof(u32),
	.value_size = sizeof(u64),
	.max_entries = 8,
};

struct bpf_map_def SEC("maps") forgotten = {
	.type = ARRAY,
	.key_size = sizeof(u32),
	.value_size = sizeof(u32),
	.max_entries = 2,
};

SEC("socket")
int remember(struct sk_buff *skb)
{
	u32 length = skb->len, zero = 0;
	u64 one = 1;
	u64 *seen = map_lookup(&lengths, &length);
	u32 *times;

	if (!seen)
		return map_update(&lengths, &length, &one, 0) == 0;
	if (++*seen < 3)
		return *seen;
	map_delete(&lengths, &length);
	times = map_lookup(&forgotten, &zero);
	return times ? 100 + ++*times : 0;
}

LICENSE("Dual MIT/GPL");

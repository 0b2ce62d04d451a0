/* Counts packets by protocol of IPv4: an array declared by types, a static function in .text. */
#include "bpf.h"

struct count {
	u64 packets;
	u64 bytes;
};

struct {
	NUMBER(type, ARRAY);
	NUMBER(max_entries, 256);
	TYPE(key, u32);
	TYPE(value, struct count);
} counts SEC(".maps");

static NOINLINE s32 protocol(struct xdp *context)
{
	struct eth *eth = START(context);
	struct ip *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > END(context) || eth->type != BE16(0x0800))
		return -1;
	return ip->protocol;
}

SEC("xdp")
int count(struct xdp *context)
{
	s32 found = protocol(context);
	u32 key = found < 0 ? 255 : found;
	struct count *count = map_lookup(&counts, &key);

	if (!count)
		return XDP_ABORTED;
	count->packets++;
	count->bytes += END(context) - START(context);
	return XDP_PASS;
}

LICENSE("GPL");

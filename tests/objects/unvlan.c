/* Takes off all VLAN tags, up to four: finds them in a loop, moves the addresses up, gives the room back. */
#include "net.h"

#define MOST_TAGS 4

struct {
	NUMBER(type, ARRAY);
	NUMBER(max_entries, MOST_TAGS + 1);
	TYPE(key, u32);
	TYPE(value, u64);
} depths SEC(".maps");

INLINE bool is_tag(u16 type)
{
	return type == BE16(ETH_VLAN) || type == BE16(ETH_QINQ);
}

SEC("xdp")
int untag(struct xdp *context)
{
	void *end = END(context);
	struct eth *eth = START(context), header;
	struct vlan *tag = (void *)(eth + 1);
	u32 tags = 0;
	u64 *depth;
	u16 type;

	if (!WHOLE(eth, end))
		return XDP_ABORTED;
	header = *eth;
	type = eth->type;
	for (int i = 0; i < MOST_TAGS; i++) {
		if (!is_tag(type))
			break;
		if (!WHOLE(tag, end))
			return XDP_ABORTED;
		type = tag->type;
		tag++;
		tags++;
	}
	depth = map_lookup(&depths, &tags);
	if (depth)
		*depth += 1;
	if (!tags)
		return XDP_PASS;
	if (adjust_head(context, tags * sizeof(struct vlan)))
		return XDP_ABORTED;
	eth = START(context);
	if (!WHOLE(eth, END(context)))
		return XDP_ABORTED;
	*eth = header;
	eth->type = type;
	return XDP_PASS;
}

LICENSE("GPL");

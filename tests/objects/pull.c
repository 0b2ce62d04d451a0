/* Looks at bytes in place that may lie behind those at hand: asks for them once, and begins anew. */
#include "net.h"

#define HEADERS (sizeof(struct eth) + sizeof(struct ip) + sizeof(struct tcp))

struct {
	NUMBER(type, ARRAY);
	NUMBER(max_entries, 64);
	TYPE(key, u32);
	TYPE(value, u64);
} flags SEC(".maps");

SEC("tc")
int count_flags(struct sk_buff *skb)
{
	void *at = START(skb), *end = END(skb);
	struct eth *eth;
	struct ip *ip;
	struct tcp *tcp;
	u32 which;
	u64 *count;

	if (at + HEADERS > end) {
		if (pull_data(skb, HEADERS))
			return TC_OK;
		at = START(skb);
		end = END(skb);
		if (at + HEADERS > end)
			return TC_OK;
	}
	eth = at;
	ip = (void *)(eth + 1);
	tcp = (void *)(ip + 1);
	if (eth->type != BE16(ETH_IP) || ip->version_and_length != 0x45 || ip->protocol != TCP)
		return TC_OK;
	which = tcp->flags & 63;
	count = map_lookup(&flags, &which);
	if (count)
		*count += 1;
	return TC_OK;
}

LICENSE("GPL");

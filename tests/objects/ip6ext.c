/* Walks the extension headers of IPv6, eight at most, to the protocol behind them; drops what has too many. */
#include "net.h"

enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, NOTHING = 59, OPTIONS = 60 };

#define MOST_HEADERS 8

struct {
	NUMBER(type, ARRAY);
	NUMBER(max_entries, 256);
	TYPE(key, u32);
	TYPE(value, u64);
} protocols SEC(".maps");

struct extension {
	u8 next;
	u8 length;
};

SEC("tc")
int walk(struct sk_buff *skb)
{
	void *at = START(skb), *end = END(skb);
	struct eth *eth = at;
	struct ip6 *ip = (void *)(eth + 1);
	u32 protocol;
	u64 *count;

	if (!WHOLE(ip, end) || eth->type != BE16(ETH_IP6))
		return TC_OK;
	protocol = ip->next;
	at = ip + 1;
	for (int i = 0; i < MOST_HEADERS; i++) {
		struct extension *extension = at;
		u32 length;

		switch (protocol) {
		case HOP_BY_HOP:
		case ROUTING:
		case OPTIONS:
		case FRAGMENT:
		case AUTHENTICATION:
			break;
		default:
			goto found;
		}
		if (!WHOLE(extension, end))
			return TC_SHOT;
		if (protocol == FRAGMENT)
			length = 8;
		else if (protocol == AUTHENTICATION)
			length = (extension->length + 2) * 4;
		else
			length = (extension->length + 1) * 8;
		protocol = extension->next;
		at += length;
	}
	return TC_SHOT;
found:
	count = map_lookup(&protocols, &protocol);
	if (count)
		*count += 1;
	return TC_OK;
}

LICENSE("GPL");

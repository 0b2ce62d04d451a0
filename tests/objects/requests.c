/* Counts HTTP requests by method, all read by copying: nothing here knows where the packet lies. */
#include "net.h"

enum method { GET, POST, HEAD, PUT, OTHER, METHODS };

struct {
	NUMBER(type, ARRAY);
	NUMBER(max_entries, METHODS);
	TYPE(key, u32);
	TYPE(value, u64);
} methods SEC(".maps");

INLINE bool is(const char *text, const char *word, int length)
{
	for (int i = 0; i < length; i++)
		if (text[i] != word[i])
			return 0;
	return 1;
}

SEC("tc")
int requests(struct sk_buff *skb)
{
	struct ip ip;
	struct tcp tcp;
	char text[8] = {};
	u32 at = sizeof(struct eth), which = OTHER;
	u64 *count;
	u16 type;

	if (load_bytes(skb, __builtin_offsetof(struct eth, type), &type, sizeof(type)) || type != BE16(ETH_IP))
		return TC_OK;
	if (load_bytes(skb, at, &ip, sizeof(ip)) || ip.protocol != TCP)
		return TC_OK;
	at += (ip.version_and_length & 15) * 4;
	if (load_bytes(skb, at, &tcp, sizeof(tcp)) || tcp.ports.to != BE16(80))
		return TC_OK;
	at += (tcp.offset >> 4) * 4;
	if (load_bytes(skb, at, text, 5))
		return TC_OK;
	if (is(text, "GET ", 4))
		which = GET;
	else if (is(text, "POST ", 5))
		which = POST;
	else if (is(text, "HEAD ", 5))
		which = HEAD;
	else if (is(text, "PUT ", 4))
		which = PUT;
	count = map_lookup(&methods, &which);
	if (count)
		__sync_fetch_and_add(count, 1);
	return TC_OK;
}

LICENSE("GPL");

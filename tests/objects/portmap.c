/* Gives a service another port and address, there and back, with the checksums of IPv4, TCP and UDP mended. */
#include "net.h"

#define AT(type, member) (sizeof(struct eth) + __builtin_offsetof(type, member))
#define PSEUDO_HEADER 0x10
#define MANGLED_ZERO 0x20

struct target {
	u32 address;
	u16 port;
	u16 pad;
};

struct {
	NUMBER(type, HASH);
	NUMBER(max_entries, 64);
	TYPE(key, u16);
	TYPE(value, struct target);
} targets SEC(".maps");

SEC("tc")
int map_port(struct sk_buff *skb)
{
	void *end = END(skb);
	struct eth *eth = START(skb);
	struct ip *ip = (void *)(eth + 1);
	struct ports *ports = (void *)(ip + 1);
	u32 checksum = sizeof(*eth) + sizeof(*ip), zero = 0;
	struct target *target;
	u16 port;
	u32 address;

	if (!WHOLE(ports, end) || eth->type != BE16(ETH_IP) || ip->version_and_length != 0x45)
		return TC_OK;
	if (ip->protocol == TCP) {
		checksum += __builtin_offsetof(struct tcp, checksum);
	} else if (ip->protocol == UDP) {
		checksum += 6;
		zero = MANGLED_ZERO;
	} else {
		return TC_OK;
	}
	port = ports->to;
	address = ip->to;
	target = map_lookup(&targets, &port);
	if (!target)
		return TC_OK;
	if (l4_csum_replace(skb, checksum, address, target->address, PSEUDO_HEADER | zero | 4))
		return TC_SHOT;
	if (l4_csum_replace(skb, checksum, port, target->port, zero | 2))
		return TC_SHOT;
	if (l3_csum_replace(skb, AT(struct ip, checksum), address, target->address, 4))
		return TC_SHOT;
	if (store_bytes(skb, AT(struct ip, to), &target->address, 4, 0))
		return TC_SHOT;
	if (store_bytes(skb, sizeof(*eth) + sizeof(*ip) + 2, &target->port, 2, 0))
		return TC_SHOT;
	return TC_OK;
}

LICENSE("GPL");

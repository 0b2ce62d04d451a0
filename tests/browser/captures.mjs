// Captures made by the tests, byte by byte, so that nothing that reads them also wrote them.

/** A classic capture, little endian, microseconds: a list of packets as bytes, each kept up to `snap`. */
export function pcap(packets, { linkType = 1, snap = 65_535 } = {}) {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(snap, 16);
  header.writeUInt32LE(linkType, 20);
  const records = packets.flatMap((packet, index) => {
    const kept = Buffer.from(packet).subarray(0, snap);
    const head = Buffer.alloc(16);
    head.writeUInt32LE(index, 0);
    head.writeUInt32LE(kept.length, 8);
    head.writeUInt32LE(packet.length, 12);
    return [head, kept];
  });
  return Buffer.concat([header, ...records]);
}

/** The packets of a classic little-endian capture. */
export function packetsOf(capture) {
  const packets = [];
  for (let at = 24; at < capture.length; ) {
    const kept = capture.readUInt32LE(at + 8);
    packets.push(capture.subarray(at + 16, at + 16 + kept));
    at += 16 + kept;
  }
  return packets;
}

/** A pcapng with one section and one interface. */
export function pcapng(packets, { linkType = 1 } = {}) {
  const block = (type, body) => {
    const padded = Buffer.concat([body, Buffer.alloc(-body.length & 3)]);
    const whole = Buffer.alloc(padded.length + 12);
    whole.writeUInt32LE(type, 0);
    whole.writeUInt32LE(whole.length, 4);
    padded.copy(whole, 8);
    whole.writeUInt32LE(whole.length, whole.length - 4);
    return whole;
  };
  const section = Buffer.alloc(16);
  section.writeUInt32LE(0x1a2b3c4d, 0);
  section.writeUInt16LE(1, 4);
  section.fill(0xff, 8);
  const face = Buffer.alloc(8);
  face.writeUInt16LE(linkType, 0);
  const enhanced = (packet) => {
    const head = Buffer.alloc(20);
    head.writeUInt32LE(packet.length, 12);
    head.writeUInt32LE(packet.length, 16);
    return block(6, Buffer.concat([head, Buffer.from(packet)]));
  };
  return Buffer.concat([block(0x0a0d0d0a, section), block(1, face), ...packets.map(enhanced)]);
}

/** An Ethernet, IPv4, TCP packet from and to these ports, as a SYN without data. */
export function tcp(from, to) {
  const packet = Buffer.alloc(54);
  packet.write("020000000002020000000001080045000028", 0, "hex");
  packet[22] = 64;
  packet[23] = 6;
  packet.write("c0000201c0000202", 26, "hex");
  packet.writeUInt16BE(from, 34);
  packet.writeUInt16BE(to, 36);
  packet.write("5002", 46, "hex");
  return packet;
}

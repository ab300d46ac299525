import { InvalidParameterError } from "../../base/errors.ts";
import { ipToBytes, parseIp } from "./ip-address.ts";

/** Six bytes in lower case with colons. @throws InvalidParameterError */
export function parseMacAddress(text: string): string {
	if (!/^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/i.test(text))
		throw new InvalidParameterError(`${text} is not a valid mac address`);
	return text.toLowerCase().replaceAll("-", ":");
}

/**
 * `02:42` and the IPv4 address: locally administered, and the same whenever the address is the same, so that neighbours
 * that remember the pair stay right when an address passes from one container to the next.
 */
export function macAddressFor(ipv4: string): string {
	const bytes = [0x02, 0x42, ...ipToBytes(parseIp(ipv4))].slice(0, 6);
	return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

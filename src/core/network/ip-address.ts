/** Arithmetic on IPv4 and IPv6 addresses and subnets. Values are big integers; text is dotted or RFC 5952. Pure. */
import { InvalidParameterError } from "../../base/errors.ts";

export type IpFamily = 4 | 6;

export interface IpAddress {
	readonly family: IpFamily;
	readonly value: bigint;
}

export interface Subnet {
	readonly family: IpFamily;
	/** First address: host bits are zero. */
	readonly base: bigint;
	readonly prefixLength: number;
}

export const bitsOf = (family: IpFamily): number => (family === 4 ? 32 : 128);

/** Undefined for anything but a plain address: no zone, no prefix length, no leading zeros in IPv4. */
export function tryParseIp(text: string): IpAddress | undefined {
	const value = text.includes(":") ? parseV6(text) : parseV4(text);
	return value === undefined ? undefined : { family: text.includes(":") ? 6 : 4, value };
}

/** @throws InvalidParameterError */
export function parseIp(text: string): IpAddress {
	const address = tryParseIp(text);
	if (address === undefined) throw new InvalidParameterError(`invalid IP address: ${text}`);
	return address;
}

function parseV4(text: string): bigint | undefined {
	const parts = text.split(".");
	if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
		return undefined;
	return parts.reduce((value, part) => value * 256n + BigInt(part), 0n);
}

function parseV6(text: string): bigint | undefined {
	const plain = replaceDottedTail(text);
	const halves = plain?.split("::");
	if (halves === undefined || halves.length > 2) return undefined;
	const [head = [], tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
	const missing = 8 - head.length - (tail?.length ?? 0);
	if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
	const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...(tail ?? [])];
	if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
	return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

/** `::ffff:1.2.3.4` as `::ffff:102:304`. */
function replaceDottedTail(text: string): string | undefined {
	const at = text.lastIndexOf(":");
	const tail = text.slice(at + 1);
	if (!tail.includes(".")) return text;
	const value = parseV4(tail);
	if (value === undefined) return undefined;
	return `${text.slice(0, at + 1)}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

export function formatIp(address: IpAddress): string {
	return address.family === 4 ? formatV4(address.value) : formatV6(address.value);
}

function formatV4(value: bigint): string {
	return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
}

function formatV6(value: bigint): string {
	const groups = Array.from({ length: 8 }, (_, index) => (value >> BigInt(112 - index * 16)) & 0xffffn);
	const { start, length } = longestZeroRun(groups);
	const text = (part: readonly bigint[]) => part.map((group) => group.toString(16)).join(":");
	if (length < 2) return text(groups);
	return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** The first of the longest ones. */
function longestZeroRun(groups: readonly bigint[]): { readonly start: number; readonly length: number } {
	let best = { start: 0, length: 0 };
	let start = 0;
	for (const [index, group] of groups.entries()) {
		if (group !== 0n) start = index + 1;
		else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
	}
	return best;
}

/** Network byte order: 4 or 16 bytes. */
export function ipToBytes(address: IpAddress): Uint8Array {
	const length = bitsOf(address.family) / 8;
	return Uint8Array.from({ length }, (_, index) => Number((address.value >> BigInt((length - 1 - index) * 8)) & 0xffn));
}

export function ipFromBytes(bytes: Uint8Array): IpAddress {
	return { family: bytes.length === 4 ? 4 : 6, value: bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n) };
}

/** Loopback: 127.0.0.0/8 or ::1. */
export function isLoopback(address: IpAddress): boolean {
	return address.family === 4 ? address.value >> 24n === 127n : address.value === 1n;
}

/** 0.0.0.0 or `::`. */
export function isUnspecified(address: IpAddress): boolean {
	return address.value === 0n;
}

/** An address with a prefix length; the address may be any of the subnet. @throws InvalidParameterError */
export function parseCidr(text: string): { readonly address: IpAddress; readonly subnet: Subnet } {
	const [ip = "", length = "", ...rest] = text.split("/");
	const address = tryParseIp(ip);
	if (address === undefined || rest.length > 0 || !/^\d{1,3}$/.test(length) || Number(length) > bitsOf(address.family))
		throw new InvalidParameterError(`invalid CIDR address: ${text}`);
	const prefixLength = Number(length);
	const hostBits = BigInt(bitsOf(address.family) - prefixLength);
	return { address, subnet: { family: address.family, base: (address.value >> hostBits) << hostBits, prefixLength } };
}

/** The subnet that `text` lies in. @throws InvalidParameterError */
export function parseSubnet(text: string): Subnet {
	return parseCidr(text).subnet;
}

export function formatSubnet(subnet: Subnet): string {
	return `${formatIp({ family: subnet.family, value: subnet.base })}/${subnet.prefixLength}`;
}

/** Number of addresses, network and broadcast included. */
export function subnetSize(subnet: Subnet): bigint {
	return 1n << BigInt(bitsOf(subnet.family) - subnet.prefixLength);
}

export function lastAddress(subnet: Subnet): bigint {
	return subnet.base + subnetSize(subnet) - 1n;
}

export function contains(subnet: Subnet, address: IpAddress): boolean {
	return subnet.family === address.family && address.value >= subnet.base && address.value <= lastAddress(subnet);
}

export function overlaps(a: Subnet, b: Subnet): boolean {
	return a.family === b.family && a.base <= lastAddress(b) && b.base <= lastAddress(a);
}

/** Gives out the addresses of one subnet. In memory: the records hold the truth, the owner reserves what they name at start. */
import { ConflictError, InvalidParameterError, UnavailableError } from "../../base/errors.ts";
import {
	contains,
	formatIp,
	type IpAddress,
	lastAddress,
	parseIp,
	parseSubnet,
	type Subnet,
	subnetSize,
} from "./ip-address.ts";

export interface AddressPoolOptions {
	/** Narrower part of the subnet to give out from, CIDR form. */
	readonly range?: string;
	/** Taken from the start: gateway, auxiliary addresses. */
	readonly reserved?: readonly string[];
}

export class AddressPool {
	readonly subnet: Subnet;
	readonly #range: Subnet;
	readonly #taken = new Set<bigint>();
	/** The address after the one given out last: a freed address rests as long as possible. */
	#next: bigint;

	/** @throws InvalidParameterError */
	constructor(subnet: string, options: AddressPoolOptions = {}) {
		this.subnet = parseSubnet(subnet);
		this.#range = options.range === undefined ? this.subnet : parseSubnet(options.range);
		if (!contains(this.subnet, { family: this.#range.family, value: this.#range.base }))
			throw new InvalidParameterError(`invalid range ${options.range}: it is not within subnet ${subnet}`);
		this.#next = this.#range.base;
		for (const address of options.reserved ?? []) this.#taken.add(parseIp(address).value);
	}

	/**
	 * The next free address.
	 * @throws UnavailableError when all are taken
	 */
	allocate(): string {
		const first = this.#range.base;
		const size = subnetSize(this.#range);
		// At most one more than what is taken (and the two that are never given out) has to be looked at.
		const attempts = BigInt(this.#taken.size) + 3n;
		for (let count = 0n; count < (attempts < size ? attempts : size); count++) {
			const value = this.#next;
			this.#next = first + ((value - first + 1n) % size);
			if (!this.#isUsable(value) || this.#taken.has(value)) continue;
			this.#taken.add(value);
			return this.#format(value);
		}
		throw new UnavailableError(`no available IPv${this.subnet.family} addresses on this network's address pools`);
	}

	/**
	 * Takes one address, asked for by the user or named by a record.
	 * @throws InvalidParameterError outside the subnet; ConflictError when taken
	 */
	reserve(text: string): void {
		const address = parseIp(text);
		if (!contains(this.subnet, address) || !this.#isUsable(address.value))
			throw new InvalidParameterError(`no configured subnet contains IP address ${text}`);
		if (this.#taken.has(address.value)) throw new ConflictError("Address already in use");
		this.#taken.add(address.value);
	}

	/** Gives an address back; one that is not taken is no error. */
	release(text: string): void {
		this.#taken.delete(parseIp(text).value);
	}

	isTaken(text: string): boolean {
		return this.#taken.has(parseIp(text).value);
	}

	/** The first usable address, by convention the gateway's. */
	firstUsable(): string {
		return this.#format(this.#isUsable(this.subnet.base) ? this.subnet.base : this.subnet.base + 1n);
	}

	/** Neither network nor broadcast address; a /31 or /32 (/127, /128) has neither of them. IPv6 has no broadcast. */
	#isUsable(value: bigint): boolean {
		if (subnetSize(this.subnet) <= 2n) return true;
		if (value === this.subnet.base) return false;
		return this.subnet.family === 6 || value !== lastAddress(this.subnet);
	}

	#format(value: bigint): string {
		const address: IpAddress = { family: this.subnet.family, value };
		return formatIp(address);
	}
}

import { InvalidParameterError } from "../../base/errors.ts";
import { tryParseIp } from "../network/ip-address.ts";

const PROTOCOLS: readonly string[] = ["tcp", "udp", "sctp"];
const HIGHEST_PORT = 65535;

/**
 * One word of EXPOSE as keys of `ExposedPorts`: `80`, `80/UDP`, `8000-8010/tcp`. An address and a port of the host may stand in front, as
 * in `docker run -p`, and count for nothing.
 * @throws InvalidParameterError
 */
export function exposedPorts(word: string): string[] {
	const parts = word.split(":");
	const [range = "", ...rest] = (parts.at(-1) ?? "").split("/");
	const protocol = rest.length === 0 || rest[0] === "" ? "tcp" : rest.join("/").toLowerCase();
	if (range === "") throw new InvalidParameterError(`invalid port: "${word}": no port specified`);
	if (!PROTOCOLS.includes(protocol))
		throw new InvalidParameterError(`invalid port: "${word}": invalid proto: ${protocol}`);
	const container = portRange(range) ?? refuse("containerPort", range);
	// BuildKit lets 0 through, and nothing can listen there.
	if (container.first === 0) refuse("containerPort", range);
	checkHostPart(parts.slice(0, -1), container);
	const { first, count } = container;
	return Array.from({ length: count }, (_, index) => `${first + index}/${protocol}`);
}

interface PortRange {
	readonly first: number;
	readonly count: number;
}

function checkHostPart(parts: readonly string[], container: PortRange): void {
	const address = parts
		.slice(0, -1)
		.join(":")
		.replace(/^\[(.*)\]$/, "$1");
	if (address !== "" && tryParseIp(address) === undefined) refuse("IP address", address);
	const host = parts.at(-1) ?? "";
	if (host === "") return;
	const range = portRange(host) ?? refuse("hostPort", host);
	// A single port may have a range of the host's to choose from.
	if (range.count !== container.count && container.count > 1)
		throw new InvalidParameterError(
			`invalid ranges specified for container and host Ports: ${container.count} and ${range.count}`,
		);
}

function portRange(text: string): PortRange | undefined {
	const [, from = "", to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
	const [first, last] = [Number(from), Number(to)];
	return from === "" || last > HIGHEST_PORT || first > last ? undefined : { first, count: last - first + 1 };
}

function refuse(what: string, text: string): never {
	throw new InvalidParameterError(`invalid ${what}: ${text}`);
}

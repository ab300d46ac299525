import type { EndpointSettings } from "../../api/engine/container.ts";
import type { ParsedOptions } from "../command.ts";
import { parseValues } from "../option-parser.ts";
import { splitCommaFields } from "./comma-fields.ts";

/** `--network` and what goes with it. */
export interface NetworkOptions {
	mode: string;
	endpoints: Record<string, EndpointSettings>;
	/** They stand here for every network, and in the endpoint of a network of the user's own too. */
	links: string[];
}

interface Attachment {
	target: string;
	endpoint: EndpointSettings;
}

/** @throws UsageError, Error */
export function parseNetworks(options: ParsedOptions): NetworkOptions {
	const attachments = ["net", "network"].flatMap((name) => parseValues(options, name, parseAttachment));
	if (attachments.length === 0) attachments.push({ target: "default", endpoint: {} });
	const kinds = new Set(attachments.map(({ target }) => isUserDefined(target)));
	if (kinds.size > 1)
		throw new Error("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
	const [first] = attachments;
	if (first === undefined) throw new Error("no network");
	const links = options.list("link");
	const isOwn = isUserDefined(first.target);
	applySimpleOptions(options, first, isOwn);
	if (isOwn && links.length > 0) first.endpoint.Links = links;
	const endpoints: Record<string, EndpointSettings> = {};
	for (const { target, endpoint } of attachments) {
		if (endpoints[target] !== undefined) throw new Error(`network "${target}" is specified multiple times`);
		endpoints[target] = endpoint;
	}
	return { mode: first.target, endpoints, links };
}

/** The options without a network of their own belong to the first one. */
function applySimpleOptions(options: ParsedOptions, { endpoint }: Attachment, isOwn: boolean): void {
	const aliases = [...options.list("net-alias"), ...options.list("network-alias")];
	if (aliases.length > 0) {
		if (endpoint.Aliases)
			throw new Error("conflicting options: cannot specify both --network-alias and per-network alias");
		if (!isOwn) throw new Error("network-scoped aliases are only supported for user-defined networks");
		endpoint.Aliases = aliases;
	}
	const ipam = { ...endpoint.IPAMConfig };
	if (options.has("ip")) {
		if (ipam.IPv4Address !== undefined)
			throw new Error("conflicting options: cannot specify both --ip and per-network IPv4 address");
		ipam.IPv4Address = options.text("ip");
	}
	if (options.has("ip6")) {
		if (ipam.IPv6Address !== undefined)
			throw new Error("conflicting options: cannot specify both --ip6 and per-network IPv6 address");
		ipam.IPv6Address = options.text("ip6");
	}
	if (options.has("link-local-ip")) {
		if (ipam.LinkLocalIPs !== undefined)
			throw new Error(
				"conflicting options: cannot specify both --link-local-ip and per-network link-local IP addresses",
			);
		ipam.LinkLocalIPs = options.list("link-local-ip");
	}
	if (Object.keys(ipam).length > 0) endpoint.IPAMConfig = ipam;
	if (options.has("mac-address")) {
		if (endpoint.MacAddress !== undefined)
			throw new Error("conflicting options: cannot specify both --mac-address and per-network MAC address");
		endpoint.MacAddress = checkMacAddress(options.text("mac-address"));
	}
}

/** A name, or `name=n,alias=a,ip=…,ip6=…,mac-address=…,link-local-ip=…,driver-opt=k=v,gw-priority=n`. */
function parseAttachment(text: string): Attachment {
	if (!text.includes("=")) return { target: text === "" ? "default" : text, endpoint: {} };
	const attachment: Attachment = { target: "", endpoint: {} };
	for (const field of splitCommaFields(text)) {
		const equals = field.indexOf("=");
		if (equals < 0) throw new Error(`invalid field ${field}`);
		setAttachmentField(attachment, field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1).trim());
	}
	if (attachment.target === "") throw new Error("network name/id is not specified");
	return attachment;
}

function setAttachmentField(attachment: Attachment, key: string, value: string): void {
	const { endpoint } = attachment;
	const ipam = { ...endpoint.IPAMConfig };
	switch (key) {
		case "name":
			attachment.target = value;
			return;
		case "alias":
			endpoint.Aliases = [...(endpoint.Aliases ?? []), value];
			return;
		case "ip":
			endpoint.IPAMConfig = { ...ipam, IPv4Address: value };
			return;
		case "ip6":
			endpoint.IPAMConfig = { ...ipam, IPv6Address: value };
			return;
		case "link-local-ip":
			endpoint.IPAMConfig = { ...ipam, LinkLocalIPs: [...(ipam.LinkLocalIPs ?? []), value] };
			return;
		case "mac-address":
			endpoint.MacAddress = checkMacAddress(value);
			return;
		case "driver-opt": {
			const equals = value.indexOf("=");
			if (equals < 0) throw new Error("invalid key value pair format in driver options");
			endpoint.DriverOpts = { ...endpoint.DriverOpts, [value.slice(0, equals).toLowerCase()]: value.slice(equals + 1) };
			return;
		}
		case "gw-priority":
			if (!/^[+-]?\d+$/.test(value)) throw new Error(`invalid gw-priority (${value}): invalid syntax`);
			endpoint.GwPriority = Number(value);
			return;
		default:
			throw new Error(`invalid field key ${key}`);
	}
}

function isUserDefined(target: string): boolean {
	return !["default", "bridge", "host", "none"].includes(target) && !target.startsWith("container:");
}

function checkMacAddress(text: string): string {
	if (!/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(text)) throw new Error(`${text} is not a valid mac address`);
	return text;
}

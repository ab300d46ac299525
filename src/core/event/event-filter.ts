import type { EventMessage } from "../../api/engine/event.ts";
import { checkFilterKeys, type Filters } from "../../api/engine/filters.ts";

const KEYS = [
	"config",
	"container",
	"daemon",
	"event",
	"image",
	"label",
	"network",
	"node",
	"plugin",
	"scope",
	"secret",
];
const EVENT_KEYS = [...KEYS, "service", "type", "volume"];
/** Actions that carry a detail after a colon; asking for one of these matches by prefix. */
const PREFIXED_ACTIONS = ["health_status", "exec_create", "exec_start"];

/** @throws InvalidParameterError for an unknown key */
export function checkEventFilters(filters: Filters): void {
	checkFilterKeys(filters, EVENT_KEYS);
}

/** Whether `message` passes `GET /events?filters=`: every key must match, any one of its values. */
export function matchesEvent(filters: Filters, message: EventMessage): boolean {
	if (filters.size === 0) return true;
	const { ID: id, Attributes: attributes } = message.Actor;
	const name = attributes["name"] ?? "";
	const exact = (key: string, ...candidates: string[]) =>
		filters.get(key)?.some((value) => candidates.includes(value)) ?? true;
	const prefix = (key: string) =>
		filters.get(key)?.some((value) => id.startsWith(value) || name.startsWith(value)) ?? true;
	return (
		matchesAction(filters.get("event"), message.Action) &&
		exact("type", message.Type) &&
		exact("scope", message.scope) &&
		ofType("daemon", message, filters, () => exact("daemon", id, name)) &&
		ofType("container", message, filters, () => prefix("container")) &&
		ofType("volume", message, filters, () => prefix("volume")) &&
		ofType("network", message, filters, () => prefix("network")) &&
		ofType("plugin", message, filters, () => prefix("plugin")) &&
		["node", "service", "secret", "config"].every((key) => ofType(key, message, filters, () => prefix(key))) &&
		matchesImage(filters.get("image"), message) &&
		matchesLabels(filters.get("label"), attributes)
	);
}

/** A filter by an object's kind lets only that kind's events through. */
function ofType(key: string, message: EventMessage, filters: Filters, matches: () => boolean): boolean {
	return !filters.has(key) || (message.Type === key && matches());
}

function matchesAction(wanted: readonly string[] | undefined, action: string): boolean {
	if (wanted === undefined) return true;
	return wanted.some((value) => action === value || (PREFIXED_ACTIONS.includes(value) && action.startsWith(value)));
}

/** Images match by ID or name, with or without tag, and so do the events of their containers. */
function matchesImage(wanted: readonly string[] | undefined, message: EventMessage): boolean {
	if (wanted === undefined) return true;
	const { ID: id, Attributes: attributes } = message.Actor;
	const image = attributes[message.Type === "image" ? "name" : "image"] ?? "";
	const candidates = [id, image, withoutTag(id), withoutTag(image)];
	return wanted.some((value) => candidates.includes(value));
}

function withoutTag(reference: string): string {
	return reference.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
}

function matchesLabels(wanted: readonly string[] | undefined, attributes: Readonly<Record<string, string>>): boolean {
	return (wanted ?? []).every((label) => {
		const equals = label.indexOf("=");
		if (equals < 0) return Object.hasOwn(attributes, label);
		return attributes[label.slice(0, equals)] === label.slice(equals + 1);
	});
}

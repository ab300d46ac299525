/** Where a BuildKit client wants the result, as the builder's own outputs. */
import { InvalidParameterError, NotImplementedError } from "../../../base/errors.ts";
import { parseBoolean } from "../../dockerfile/directives.ts";
import type { BuildAnnotation, BuildOutput } from "../request.ts";

export interface Exporter {
	readonly type: string;
	readonly attrs: ReadonlyMap<string, string>;
}

export interface ExporterRequest {
	readonly outputs: readonly BuildOutput[];
	readonly annotations: readonly BuildAnnotation[];
}

/** `moby`: the daemon's own store, as the driver of Docker's daemons calls it. */
const TYPES: Readonly<Record<string, BuildOutput["type"]>> = {
	moby: "image",
	image: "image",
	local: "local",
	tar: "tar",
	oci: "oci",
	docker: "docker",
};

const ANNOTATION = /^annotation(?:-(manifest|index|manifest-descriptor|index-descriptor))?(\[.*\])?\.(.+)$/s;

/** @throws InvalidParameterError, NotImplementedError */
export function exporterRequest(exporters: readonly Exporter[]): ExporterRequest {
	const annotations: BuildAnnotation[] = [];
	const outputs = exporters.map(({ type, attrs }): BuildOutput => {
		const known = TYPES[type];
		if (known === undefined) throw new NotImplementedError(`exporter ${JSON.stringify(type)} could not be found`);
		const attributes: Record<string, string> = {};
		for (const [key, value] of attrs) {
			const [, level = "manifest", platform, name] = ANNOTATION.exec(key) ?? [];
			if (name === undefined) attributes[key] = key === "push" ? String(isTrue(key, value)) : value;
			else if (platform !== undefined)
				throw new NotImplementedError(`annotations of one platform are not supported: ${key}`);
			else addAnnotation(annotations, { level: level as BuildAnnotation["level"], key: name, value });
		}
		if (attributes["push-by-digest"] !== undefined && isTrue("push-by-digest", attributes["push-by-digest"]))
			throw new NotImplementedError("push-by-digest is not supported");
		return { type: known, attributes };
	});
	return { outputs, annotations };
}

/** Every output has them all; the builder wants each once. */
function addAnnotation(annotations: BuildAnnotation[], annotation: BuildAnnotation): void {
	const isKnown = annotations.some(({ level, key }) => level === annotation.level && key === annotation.key);
	if (!isKnown) annotations.push(annotation);
}

function isTrue(key: string, value: string): boolean {
	if (value === "") return true;
	const flag = parseBoolean(value);
	if (flag === undefined)
		throw new InvalidParameterError(`non-bool value ${JSON.stringify(value)} specified for ${key}`);
	return flag;
}

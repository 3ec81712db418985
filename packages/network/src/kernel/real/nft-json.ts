import type { BaseChainView } from '../contract.js';

/**
 * Reads what nft lists as JSON (libnftables-json(5)). Only the parts that this room writes are
 * understood; elements of another shape are shown as their JSON, so that a comparison finds them
 * strange.
 */

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
type JsonObject = { [name: string]: Json };

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function items(listing: unknown): JsonObject[] {
  const all = (listing as JsonObject)['nftables'];
  return Array.isArray(all) ? all.filter(isObject) : [];
}

/** A key or value as nft's text has it: parts joined by ` . `, verdicts as `goto chain`. */
function expressionText(value: Json): string {
  if (!isObject(value)) return String(value);
  const parts = value['concat'];
  if (Array.isArray(parts)) return parts.map(expressionText).join(' . ');
  const prefix = value['prefix'];
  if (isObject(prefix)) return `${String(prefix['addr'])}/${String(prefix['len'])}`;
  for (const verdict of ['goto', 'jump']) {
    const target = value[verdict];
    if (isObject(target)) return `${verdict} ${String(target['target'])}`;
  }
  return JSON.stringify(value);
}

/** Key → value of each set and map in the listing of a table. */
export function parseTableElements(listing: unknown): Map<string, Map<string, string>> {
  const sets = new Map<string, Map<string, string>>();
  for (const item of items(listing)) {
    const set = item['map'] ?? item['set'];
    if (!isObject(set)) continue;
    const isMap = item['map'] !== undefined;
    const elements = Array.isArray(set['elem']) ? set['elem'] : [];
    sets.set(String(set['name']), new Map(elements.map((element) => parseElement(element, isMap))));
  }
  return sets;
}

function parseElement(element: Json, isMap: boolean): [string, string] {
  if (!isMap) return [expressionText(element), ''];
  const [key, value] = Array.isArray(element) ? element : [element, null];
  return [expressionText(key ?? null), expressionText(value ?? null)];
}

/** Chain → number of its rules, in the listing of a table. */
export function parseRuleCounts(listing: unknown): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { chain, rule } of items(listing)) {
    if (isObject(chain)) counts.set(String(chain['name']), 0);
    if (!isObject(rule)) continue;
    const name = String(rule['chain']);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** The chains of a listing that hang on a hook. */
export function parseBaseChains(listing: unknown): BaseChainView[] {
  const views: BaseChainView[] = [];
  for (const item of items(listing)) {
    const chain = item['chain'];
    if (!isObject(chain) || chain['hook'] === undefined) continue;
    views.push({
      family: String(chain['family']),
      table: String(chain['table']),
      chain: String(chain['name']),
      hook: String(chain['hook']),
      policy: String(chain['policy'] ?? 'accept'),
    });
  }
  return views;
}

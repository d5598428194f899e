// Which node an alias stands for. One walk per document: the library's own `resolve` walks the whole of it for each.
import { type Alias, type Document, isAlias, type Node, visit } from 'yaml'

const known = new WeakMap<Document, ReadonlyMap<Alias, Node | undefined>>()

/** The last node before the alias that has its name as anchor. */
export function targetOf(document: Document, alias: Alias): Node | undefined {
  const targets = known.get(document) ?? allTargets(document)
  known.set(document, targets)
  return targets.get(alias)
}

function allTargets(document: Document): ReadonlyMap<Alias, Node | undefined> {
  const anchors = new Map<string, Node>()
  const targets = new Map<Alias, Node | undefined>()
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) targets.set(node, anchors.get(node.source))
      else if (node.anchor !== undefined) anchors.set(node.anchor, node)
    },
  })
  return targets
}

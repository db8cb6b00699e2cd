import {
  type DocumentNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from "graphql";
import type { AnswerSource } from "./shared.js";

/**
 * The sources that an answer to the document is made of, over all of its operations; null when any of its fields does not
 * say so. The schema itself does not change while the program runs. The document must be valid.
 */
export function sourcesOf(schema: GraphQLSchema, document: DocumentNode): readonly AnswerSource[] | null {
  const found = new Set<AnswerSource>();
  let isKnown = true;
  const types = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(types, {
      Field() {
        const [field, parent] = [types.getFieldDef(), types.getParentType()];
        if (!field || !parent || field.name.startsWith("__") || parent.name.startsWith("__")) return;
        const sources = sourcesOfField(field, parent);
        if (sources === undefined) isKnown = false;
        for (const source of sources ?? []) found.add(source);
      },
    }),
  );
  return isKnown ? [...found] : null;
}

function sourcesOfField(
  field: GraphQLField<unknown, unknown>,
  parent: GraphQLCompositeType,
): readonly AnswerSource[] | undefined {
  const mark = field.extensions.madeOf ?? (field.resolve === undefined ? parent.extensions.madeOf : undefined);
  return mark as readonly AnswerSource[] | undefined;
}

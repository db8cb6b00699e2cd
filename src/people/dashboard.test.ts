import { describe, expect, test } from "vitest";
import { type DashboardItemChange, itemValuesOf } from "./dashboard.js";

const fieldAtFault = (change: DashboardItemChange): unknown => {
  try {
    itemValuesOf(change);
  } catch (error) {
    return (error as { code?: string; details?: { field?: string } }).details?.field;
  }
  return null;
};

const deep = (levels: number): object => (levels === 1 ? {} : { a: deep(levels - 1) });

describe("what a user says about an item", () => {
  test("becomes columns; what is left out stays, and null takes away only what may be missing", () => {
    expect(itemValuesOf({})).toEqual({});
    expect(itemValuesOf({ isVisible: null, isPinned: null, widgetType: null, widgetConfig: null })).toEqual({});
    expect(itemValuesOf({ customAlias: null, notes: null, category: null })).toEqual({
      custom_alias: null,
      notes: null,
      category: null,
    });
    expect(
      itemValuesOf({ isVisible: false, isPinned: true, customAlias: "  gold \u{1f947} ", widgetConfig: { a: [1] } }),
    ).toEqual({ is_visible: false, is_pinned: true, custom_alias: "gold \u{1f947}", widget_config: '{"a":[1]}' });
  });

  test.each<[string, DashboardItemChange]>([
    ["customAlias", { customAlias: "" }],
    ["customAlias", { customAlias: " \u00a0\u2003" }],
    ["customAlias", { customAlias: "a\u0000" }],
    ["customAlias", { customAlias: "a\u0085b" }],
    ["customAlias", { customAlias: "a\nb" }],
    ["customAlias", { customAlias: "\ud83d" }],
    ["customAlias", { customAlias: "x".repeat(101) }],
    ["category", { category: "x".repeat(51) }],
    ["category", { category: "\t" }],
    ["notes", { notes: "x".repeat(2_001) }],
    ["notes", { notes: "a\u0000b" }],
    ["widgetType", { widgetType: "" }],
    ["widgetType", { widgetType: "quote" }],
    ["widgetType", { widgetType: "Q".repeat(41) }],
    ["widgetType", { widgetType: "Q'; drop table users" }],
    ["widgetConfig", { widgetConfig: [] }],
    ["widgetConfig", { widgetConfig: "{}" }],
    ["widgetConfig", { widgetConfig: 1 }],
    ["widgetConfig", { widgetConfig: { a: "\u0000" } }],
    ["widgetConfig", { widgetConfig: { "\udc00": 1 } }],
    ["widgetConfig", { widgetConfig: { a: "x".repeat(8_200) } }],
    ["widgetConfig", { widgetConfig: deep(21) }],
  ])("is refused with the field at fault: %s of %j", (field, change) => {
    expect(fieldAtFault(change)).toBe(field);
  });

  test.each<[DashboardItemChange]>([
    [{ customAlias: "x".repeat(100), category: "\u{1f4c8}".repeat(50), notes: "line\n\tnext".repeat(200) }],
    [{ widgetType: "CHART_2", widgetConfig: deep(20) }],
    [{ widgetConfig: { text: "a \\u0000 that is six letters" } }],
    [{ notes: "" }],
  ])("is taken up to the limits: %j", (change) => {
    expect(fieldAtFault(change)).toBe(null);
  });
});

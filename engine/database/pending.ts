/** Parameters of the three cutters, as the store derives them. */
export interface Cuts {
  readonly data: unknown;
  readonly rows: unknown;
  readonly nodes: unknown;
}

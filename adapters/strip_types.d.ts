/** Why `.ts` files cannot be loaded here; null when they can. */
export declare let stripTypesProblem: string | null;

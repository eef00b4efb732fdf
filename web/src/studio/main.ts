import { mount } from "svelte";
import "../styles/tokens.css";
import "../styles/base.css";
import Page from "./Page.svelte";
import { Review } from "./lib/review.svelte";

const review = new Review();
mount(Page, { target: document.getElementById("app")!, props: { review } });
await review.begin();

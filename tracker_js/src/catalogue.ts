// Generated from server/events/catalogue.toml by `make generate`: change that file instead.

/** An attribute that may be left out. */
type Optional<T> = T | null | undefined;

/** The properties of an event that a site invents, and the further ones of a system event: all are kept. */
export type Props = { [name: string]: unknown };

/**
 * The system events that a page may send, each with its attributes. Those that only a server may send are
 * missing on purpose; an attribute of type `never` is filled in by the server.
 */
export interface SystemEvents {
  /** Session started: a visitor arrives, or does something again after half an hour without activity. */
  $session_start: Props & {
    $referrer?: Optional<string>;
    $referrer_domain?: never;
    $browser?: never;
    $os?: never;
    $device?: never;
    $ip?: never;
    $resolution?: Optional<string>;
    $device_type?: never;
  };
  /** UTM tags detected: a page is opened whose address carries UTM tags, once per distinct set of them in a session; click ids (gclid, yclid, fbclid and the like) come along as further attributes. */
  $utm_hit: Props & {
    $utm_source?: Optional<string>;
    $utm_campaign?: Optional<string>;
    $utm_medium?: Optional<string>;
    $utm_content?: Optional<string>;
    $utm_term?: Optional<string>;
  };
  /** Page viewed: a page is shown, or the route of a single-page application changes. */
  $page_view: Props & {
    $url?: Optional<string>;
    $title?: Optional<string>;
    $referrer?: Optional<string>;
    $referrer_domain?: Optional<string>;
  };
  /** Tried to leave the site: the pointer leaves the page through its top edge; scrolling up fast or going back counts where the touch heuristic is switched on. */
  $leave_site_attempt: Props & {
    $trigger?: Optional<"pointer" | "scroll" | "back">;
  };
  /** Field filled in: the visitor fills in a field, once per field and page view; its value is not read unless the page's author marked the field. */
  $input_filled: Props & {
    $field?: Optional<string>;
    $field_type?: Optional<string>;
    $form?: Optional<string>;
    $value?: Optional<string>;
  };
  /** Form submitted: the visitor submits a form. */
  $form_sended: Props & {
    $form?: Optional<string>;
    $action?: Optional<string>;
    $fields?: Optional<readonly Optional<string>[]>;
  };
  /** Signed up: the visitor creates an account; name and email are also written to the user. */
  $registered: Props & {
    $name?: Optional<string>;
    $email?: Optional<string>;
  };
  /** Signed in: the visitor signs in; name and email are also written to the user. */
  $authorized: Props & {
    $name?: Optional<string>;
    $email?: Optional<string>;
  };
  /** Signed out: the user signs out; what follows belongs to a new visitor. */
  $logout: Props;
  /** Subscribed to web push: the visitor allows web push messages, and the page has a push subscription. */
  $push_subscribed: Props;
  /** Unsubscribed from web push: the page's push subscription goes away. */
  $push_unsubscribed: Props;
  /** Calendly meeting booked: somebody books a meeting in Calendly. */
  $calendly_invitee_created: Props;
  /** Chat conversation opened: the visitor opens a conversation in the chat. */
  $conversation_screen_opened: Props;
  /** Chat start screen opened: the visitor opens the start screen of the chat. */
  $start_screen_opened: Props;
  /** Visitor started a conversation: the visitor writes the first message of a conversation. */
  $conversation_user_started: Props & {
    $body?: Optional<string>;
    $conversation_id: string | number;
  };
  /** Message read: the user reads a message. */
  $message_read: Props & {
    $message_id: string | number;
    $message_type?: Optional<"auto" | "manual">;
    $message_name?: Optional<string>;
    $type?: Optional<"popup_chat" | "popup_big" | "popup_small" | "email" | (string & Record<never, never>)>;
  };
  /** Message replied: the user answers a message. */
  $message_replied: Props & {
    $message_id: string | number;
    $message_type?: Optional<"auto" | "manual">;
    $message_name?: Optional<string>;
    $type?: Optional<"popup_chat" | "popup_big" | "popup_small" | "email" | (string & Record<never, never>)>;
  };
  /** Message clicked: the user follows a link in a message. */
  $message_clicked: Props & {
    $message_id: string | number;
    $message_type?: Optional<"auto" | "manual">;
    $message_name?: Optional<string>;
    $type?: Optional<"popup_chat" | "popup_big" | "popup_small" | "email" | (string & Record<never, never>)>;
  };
  /** Message unsubscribed: the user unsubscribes by the link in a message. */
  $message_unsubscribed: Props & {
    $message_id: string | number;
    $message_type?: Optional<"auto" | "manual">;
    $message_name?: Optional<string>;
    $type?: Optional<"popup_chat" | "popup_big" | "popup_small" | "email" | (string & Record<never, never>)>;
  };
  /** Chat bot sent: a chat bot writes to the visitor. */
  $chat_bot_sent: Props;
  /** Chat bot read: the visitor reads what a chat bot wrote. */
  $chat_bot_read: Props;
  /** Chat bot answered: the visitor answers a chat bot. */
  $chat_bot_replied: Props;
  /** Chat bot finished: the visitor reaches the end of a chat bot's script. */
  $chat_bot_finished: Props;
  /** Chat bot interrupted: a chat bot's script is left before its end. */
  $chat_bot_interrupted: Props;
  /** Product viewed: the visitor opens a product's page. */
  $product_viewed: Props & {
    $name?: Optional<string>;
    $url?: Optional<string>;
    $amount?: Optional<number>;
    $img?: Optional<string>;
  };
  /** Added to cart: the visitor puts a product into the cart. */
  $cart_added: Props & {
    $name?: Optional<string>;
    $url?: Optional<string>;
    $amount?: Optional<number>;
    $img?: Optional<string>;
  };
  /** Cart viewed: the visitor opens the cart; the attributes are parallel lists with one place for each product. */
  $cart_viewed: Props & {
    $name?: Optional<readonly Optional<string>[]>;
    $url?: Optional<readonly Optional<string>[]>;
    $amount?: Optional<readonly Optional<number>[]>;
    $img?: Optional<readonly Optional<string>[]>;
  };
  /** Checkout started: the visitor reaches the first step of the checkout. */
  $order_started: Props;
  /** Order placed: the visitor has passed every step of the checkout, and the shop has created the order. */
  $order_completed: Props & {
    $order_id: string | number;
    $order_id_human?: Optional<string | number>;
    $order_amount?: Optional<number>;
  };
  /** Order cancelled: the customer or the shop has cancelled the order. */
  $order_cancelled: Props & {
    $order_id: string | number;
    $comment?: Optional<string>;
  };
}

/** What `track` takes with a name: the attributes of a page's system event; anything with a name without `$`. */
export type PropsOf<Name extends string> = Name extends keyof SystemEvents
  ? SystemEvents[Name]
  : Name extends `$${string}`
    ? never
    : Props;

/** The attributes that the catalogue knows of an event, without the index of what else is kept. */
type Known<Name extends string> = keyof {
  [Key in keyof PropsOf<Name> as string extends Key ? never : Key]: unknown;
};

/** Forbids what begins with `$` and is no attribute of the event: it is misspelt. */
type Exact<Name extends string, Given> = Name extends keyof SystemEvents
  ? { [Key in Exclude<keyof Given & `$${string}`, Known<Name>>]: never }
  : unknown;

/** The arguments of `track` after the name: they can be left out when no attribute is required. */
export type TrackArguments<Name extends string, Given = PropsOf<Name>> =
  Record<never, never> extends PropsOf<Name>
    ? [props?: Given & Exact<Name, Given>]
    : [props: Given & Exact<Name, Given>];

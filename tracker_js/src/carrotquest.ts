/** Entry of the migration shim: a page written for Carrot quest or Dashly changes the address of the script only. */
import "./stub";
import "./carrotquest_api";
import "./script";

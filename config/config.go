// Package config reads the environment into a Config: plain structs, every
// default, every fault reported at once, secrets that print stars. It imports
// nothing of ours and is read by cmd alone.
//
// The struct tags are the only place where a variable is described: its name
// without the prefix SMSBRIDGE_, its default, its range (min, max) or its
// choices (oneof), the role that requires it, and a line for people. An empty
// variable counts as not set.
package config

import "time"

// Config is everything that the environment decides, one struct for each area.
type Config struct {
	Kafka    Kafka
	Topics   Topics
	Provider Provider
	Balance  Balance
	Retry    Retry
	Commands Commands
	Push     Push
	Reports  Reports
	Inbound  Inbound
	Admin    Admin
	Log      Log
	Life     Life
}

// Kafka says how the cluster is reached.
type Kafka struct {
	Brokers           List          `envconfig:"KAFKA_BROKERS" default:"localhost:9092" desc:"brokers to begin with, host:port, separated by commas"`
	Group             string        `envconfig:"KAFKA_GROUP" default:"smsbridge" desc:"consumer group; all instances of one deployment share it"`
	TLS               Switch        `envconfig:"KAFKA_TLS" default:"false" desc:"talk TLS to the brokers"`
	TLSCAFile         string        `envconfig:"KAFKA_TLS_CA_FILE" desc:"PEM file of the authorities that sign the brokers' certificates; the system's when empty"`
	TLSCertFile       string        `envconfig:"KAFKA_TLS_CERT_FILE" desc:"PEM file of our certificate, for mutual TLS"`
	TLSKeyFile        string        `envconfig:"KAFKA_TLS_KEY_FILE" desc:"PEM file of our certificate's key"`
	SASLMechanism     string        `envconfig:"KAFKA_SASL_MECHANISM" oneof:"plain scram-sha-256 scram-sha-512" desc:"how to log in; not at all when empty"`
	SASLUsername      string        `envconfig:"KAFKA_SASL_USERNAME" desc:"login at the brokers"`
	SASLPassword      Secret        `envconfig:"KAFKA_SASL_PASSWORD" desc:"password at the brokers"`
	AllowInsecureSASL Switch        `envconfig:"KAFKA_ALLOW_INSECURE_SASL" default:"false" desc:"log in without TLS, the password readable on the wire"`
	SessionTimeout    time.Duration `envconfig:"KAFKA_SESSION_TIMEOUT" default:"10s" min:"6s" max:"45s" desc:"a member that was silent for so long loses its partitions"`
	CreateTopics      Switch        `envconfig:"KAFKA_CREATE_TOPICS" default:"false" desc:"create missing topics at start, for development"`
	TopicPartitions   int           `envconfig:"KAFKA_TOPIC_PARTITIONS" default:"12" min:"1" max:"10000" desc:"partitions of topics so created"`
	TopicReplication  int           `envconfig:"KAFKA_TOPIC_REPLICATION" default:"-1" min:"-1" max:"100" desc:"replicas of topics so created; -1 is the brokers' default"`
}

// Topics names the topics.
type Topics struct {
	Prefix       string `envconfig:"TOPIC_PREFIX" default:"sms." desc:"begins the default of every topic below"`
	Commands     string `envconfig:"TOPIC_COMMANDS" default:"${TOPIC_PREFIX}commands" desc:"in: what is to be sent"`
	Results      string `envconfig:"TOPIC_RESULTS" default:"${TOPIC_PREFIX}results" desc:"out: the final result of every command"`
	Reports      string `envconfig:"TOPIC_REPORTS" default:"${TOPIC_PREFIX}reports" desc:"out: delivery reports"`
	Inbound      string `envconfig:"TOPIC_INBOUND" default:"${TOPIC_PREFIX}inbound" desc:"out: messages that phones sent to us (MO)"`
	DeadLetter   string `envconfig:"TOPIC_DEADLETTER" default:"${TOPIC_PREFIX}deadletter" desc:"out: what could not be read, raw"`
	Account      string `envconfig:"TOPIC_ACCOUNT" default:"${TOPIC_PREFIX}account" desc:"out: balance and state of the line"`
	Journal      string `envconfig:"TOPIC_JOURNAL" default:"${TOPIC_PREFIX}bridge.journal" desc:"internal: what was about to be submitted, and what came of it"`
	Sendids      string `envconfig:"TOPIC_SENDIDS" default:"${TOPIC_PREFIX}bridge.sendids" desc:"internal: which command each sendid belongs to, and what its reports have told"`
	Pushes       string `envconfig:"TOPIC_PUSHES" default:"${TOPIC_PREFIX}bridge.pushes" desc:"internal: delivery reports as the provider pushed them"`
	Doubts       string `envconfig:"TOPIC_DOUBTS" default:"${TOPIC_PREFIX}bridge.doubts" desc:"internal: submits without an answer, which a report may explain; used with PROVIDER_EXCLUSIVE"`
	Suppressions string `envconfig:"TOPIC_SUPPRESSIONS" default:"${TOPIC_PREFIX}bridge.suppressions" desc:"internal: who gets no texts of a class"`
	Control      string `envconfig:"TOPIC_CONTROL" default:"${TOPIC_PREFIX}bridge.control" desc:"internal: what operators ordered to hold or to cancel"`
}

// Provider says how texts are submitted.
type Provider struct {
	URL            string        `envconfig:"PROVIDER_URL" required:"intake" desc:"where texts are submitted, as the provider gave it for the account"`
	BalanceURL     string        `envconfig:"PROVIDER_BALANCE_URL" default:"${PROVIDER_URL}" desc:"where the balance is asked"`
	AllowHTTP      Switch        `envconfig:"PROVIDER_ALLOW_HTTP" default:"false" desc:"allow plain http to another host than this machine; credentials and texts are then readable on the way"`
	Proxy          string        `envconfig:"PROVIDER_PROXY" desc:"proxy on the way to the provider (http or https URL); the environment's proxies are not used"`
	Account        string        `envconfig:"PROVIDER_ACCOUNT" default:"default" desc:"alias of the account in events, metrics and logs, never its login"`
	Exclusive      Switch        `envconfig:"PROVIDER_EXCLUSIVE" default:"false" desc:"true: nobody else submits on this account, no other deployment and no person, so that a report which nothing explains is evidence about a submit without an answer"`
	Name           Secret        `envconfig:"PROVIDER_NAME" required:"intake" desc:"login of the account"`
	Password       Secret        `envconfig:"PROVIDER_PASSWORD" required:"intake" desc:"interface password of the account, from the provider's console"`
	Signature      string        `envconfig:"PROVIDER_SIGNATURE" desc:"signature of texts whose command has none, without brackets"`
	SignatureBound Switch        `envconfig:"PROVIDER_SIGNATURE_BOUND" default:"false" desc:"true: the account has a signature bound at the provider, so that texts may go without; else one without any is invalid"`
	Timeout        time.Duration `envconfig:"PROVIDER_TIMEOUT" default:"15s" min:"100ms" max:"5m" desc:"longest wait for the answer to one submit"`
	MaxInFlight    int           `envconfig:"PROVIDER_MAX_IN_FLIGHT" default:"64" min:"1" max:"10000" desc:"concurrent submits of this process"`
	Rate           float64       `envconfig:"PROVIDER_RATE" default:"0" min:"0" max:"1000000" desc:"recipients a second for the whole group; 0 is unlimited"`
	MaxRecipients  int           `envconfig:"PROVIDER_MAX_RECIPIENTS" default:"500" min:"1" max:"10000" desc:"recipients of one submit; longer lists are split"`
}

// Balance says how the account's balance is watched.
type Balance struct {
	Interval time.Duration `envconfig:"BALANCE_INTERVAL" default:"5m" min:"1s" max:"24h" desc:"how often the balance is asked; the provider wishes not to be asked more than once a minute"`
	Low      float64       `envconfig:"BALANCE_LOW" default:"0" min:"0" max:"1000000000000" desc:"a balance below it is told as low"`
}

// Retry says how submits are repeated that certainly were not carried out.
type Retry struct {
	Initial     time.Duration `envconfig:"RETRY_INITIAL" default:"500ms" min:"1ms" max:"1h" desc:"pause before the second attempt"`
	Max         time.Duration `envconfig:"RETRY_MAX" default:"30s" min:"1ms" max:"1h" desc:"longest pause between attempts"`
	Multiplier  float64       `envconfig:"RETRY_MULTIPLIER" default:"2" min:"1" max:"100" desc:"how much longer each pause is than the one before"`
	MaxAttempts int           `envconfig:"RETRY_MAX_ATTEMPTS" default:"0" min:"0" max:"1000000" desc:"attempts in all; 0: until the validity ends"`
}

// Commands says how commands are treated.
type Commands struct {
	OnUnknown         string        `envconfig:"ON_UNKNOWN" default:"report" oneof:"report resend" desc:"what to do when a submit may have been carried out; resend makes at most one more, which may send a text twice"`
	Ordering          string        `envconfig:"ORDERING" default:"key" oneof:"key partition none" desc:"whose commands wait for each other"`
	ValidityOTP       time.Duration `envconfig:"VALIDITY_OTP" default:"5m" min:"1s" max:"8760h" desc:"how long after its record's timestamp a one-time code may be submitted"`
	ValidityNotice    time.Duration `envconfig:"VALIDITY_NOTICE" default:"24h" min:"1s" max:"8760h" desc:"the same for a notice"`
	ValidityMarketing time.Duration `envconfig:"VALIDITY_MARKETING" default:"24h" min:"1s" max:"8760h" desc:"the same for marketing"`
	SendAtMax         time.Duration `envconfig:"SEND_AT_MAX" default:"168h" min:"1s" max:"8760h" desc:"how far ahead of its record's timestamp a send_at may lie; one further ahead is invalid"`
	DedupeWindow      time.Duration `envconfig:"DEDUPE_WINDOW" default:"48h" min:"1s" max:"8760h" desc:"how long a command's id is remembered; not below the longest validity"`
	QuietHours        string        `envconfig:"QUIET_HOURS" desc:"hours in which QUIET_CLASSES wait, such as 21:00-08:00; their validity runs on"`
	QuietZone         string        `envconfig:"QUIET_ZONE" default:"Asia/Shanghai" desc:"time zone of QUIET_HOURS"`
	QuietClasses      List          `envconfig:"QUIET_CLASSES" default:"marketing" desc:"classes that wait in QUIET_HOURS, separated by commas"`
	NumberAllow       List          `envconfig:"NUMBER_ALLOW" desc:"numbers or their first digits, separated by commas; any other recipient is refused (for test environments)"`
	CapPerMinute      int           `envconfig:"CAP_PER_MINUTE" default:"0" min:"0" max:"1000000000" desc:"recipients for the whole group in any 60 seconds; beyond it commands wait; 0 is unlimited"`
	CapPerDay         int           `envconfig:"CAP_PER_DAY" default:"0" min:"0" max:"1000000000" desc:"the same in any 24 hours"`
}

// Push says how the provider's pushes are received.
type Push struct {
	Listen                  string   `envconfig:"PUSH_LISTEN" default:":8080" desc:"public address for the provider's pushes"`
	Token                   Secret   `envconfig:"PUSH_TOKEN" desc:"secret path segment: /push/TOKEN/report instead of /push/report"`
	TokenPrevious           Secret   `envconfig:"PUSH_TOKEN_PREVIOUS" desc:"the segment before, also taken while it is being changed"`
	Auth                    string   `envconfig:"PUSH_AUTH" required:"push" oneof:"static md5 either none" desc:"how delivery reports prove where they come from; none believes anybody. A digest covers nothing of what a report says and other instances cannot know that it was used, so md5 and either need PUSH_TOKEN or PUSH_ALLOW as well"`
	InboundAuth             string   `envconfig:"PUSH_INBOUND_AUTH" default:"static" oneof:"static none" desc:"how inbound messages do: by a plain name and password, whatever the reports carry"`
	InboundName             Secret   `envconfig:"PUSH_INBOUND_NAME" desc:"name in inbound messages; where neither it nor the password is set, both are those of the reports; an empty one is not looked at"`
	InboundNamePrevious     Secret   `envconfig:"PUSH_INBOUND_NAME_PREVIOUS" desc:"the name before, also taken while it is being changed"`
	InboundPassword         Secret   `envconfig:"PUSH_INBOUND_PASSWORD" desc:"password in inbound messages, likewise"`
	InboundPasswordPrevious Secret   `envconfig:"PUSH_INBOUND_PASSWORD_PREVIOUS" desc:"the password before, also taken while it is being changed"`
	Name                    Secret   `envconfig:"PUSH_NAME" desc:"name in delivery reports, for static and either"`
	NamePrevious            Secret   `envconfig:"PUSH_NAME_PREVIOUS" desc:"the name before, also taken while it is being changed"`
	Password                Secret   `envconfig:"PUSH_PASSWORD" desc:"password in delivery reports, for static and either; with md5 it is checked too where it is set"`
	PasswordPrevious        Secret   `envconfig:"PUSH_PASSWORD_PREVIOUS" desc:"the password before, also taken while it is being changed"`
	AccessSecret            Secret   `envconfig:"PUSH_ACCESS_SECRET" desc:"secret of the digests in pushes, for md5 and either"`
	AccessSecretPrevious    Secret   `envconfig:"PUSH_ACCESS_SECRET_PREVIOUS" desc:"the secret before, also taken while it is being changed"`
	Allow                   Networks `envconfig:"PUSH_ALLOW" desc:"networks that may push (10.0.0.0/8,192.0.2.7), separated by commas; all when empty"`
	TrustedProxies          Networks `envconfig:"PUSH_TRUSTED_PROXIES" desc:"networks of our own proxies, whose X-Forwarded-For is believed"`
	Ack                     string   `envconfig:"PUSH_ACK" default:"OK" desc:"body of the answer to a push that was taken"`
	SpoolDir                string   `envconfig:"PUSH_SPOOL_DIR" desc:"folder of this process alone where pushes wait on disk while Kafka is away; when empty they are answered 503"`
	SpoolMax                Size     `envconfig:"PUSH_SPOOL_MAX" default:"1GiB" min:"4KiB" max:"1TiB" desc:"most that may wait there"`
}

// Reports says how delivery reports find their commands, and how people are told.
type Reports struct {
	OrphanAfter     time.Duration `envconfig:"ORPHAN_AFTER" default:"10m" min:"1s" max:"24h" desc:"how long a delivery report waits for its sendid before it is published as an orphan"`
	Deadline        time.Duration `envconfig:"REPORT_DEADLINE" default:"72h" min:"1s" max:"8760h" desc:"how long after a submit its reports may take; then a no_report event tells how many are missing"`
	HashKey         Secret        `envconfig:"NUMBER_HASH_KEY" desc:"key of every HMAC of numbers and texts, in outputs and internal topics; derived from the provider's credentials when empty, so that it changes with the password"`
	HashKeyPrevious Secret        `envconfig:"NUMBER_HASH_KEY_PREVIOUS" desc:"the key before: what was hashed with it in internal topics is still recognised"`
	OutputNumbers   string        `envconfig:"OUTPUT_NUMBERS" default:"clear" oneof:"clear masked" desc:"how outputs tell numbers: clear, or masked as 138****0000; their hashes tell people apart either way"`
}

// Inbound says how messages from phones (MO) are read.
type Inbound struct {
	SystemExtensionLength Digits `envconfig:"MO_SYSTEM_EXTENSION_LENGTH" desc:"digits of the system's prefix in an extension, 0 to 20; the rest is the command's own. When empty, extensions are told as they came and not cut"`
	OptOut                List   `envconfig:"MO_OPT_OUT" default:"T,TD,R,退订,拒收,STOP,STOPALL,UNSUBSCRIBE,CANCEL,END,QUIT" desc:"words that ask for no more texts, separated by commas"`
	OptIn                 List   `envconfig:"MO_OPT_IN" default:"订阅,恢复,开通,START,UNSTOP,SUBSCRIBE" desc:"words that ask for texts again"`
	OptOutSuppress        List   `envconfig:"OPT_OUT_SUPPRESS" default:"marketing" desc:"classes that a person gets no more after opting out, until opting in again, separated by commas; none: an opt_out is told and changes nothing"`
	Help                  List   `envconfig:"MO_HELP" default:"帮助,HELP,INFO" desc:"words that ask for help"`
}

// Admin says where operators and their tools look.
type Admin struct {
	Listen string `envconfig:"ADMIN_LISTEN" default:"localhost:9090" desc:"address for health, metrics and status; never the public one"`
}

// Log says what is logged.
type Log struct {
	Level  string `envconfig:"LOG_LEVEL" default:"info" oneof:"debug info warn error" desc:"least level that is logged"`
	Format string `envconfig:"LOG_FORMAT" default:"json" oneof:"json text" desc:"form of the log"`
}

// Life is about the process itself.
type Life struct {
	Roles         List          `envconfig:"ROLES" default:"intake,push,correlate" desc:"what this process does: submit commands (intake), take the provider's pushes (push), find the commands of reports (correlate); each must be done by some process of a deployment"`
	StateDir      string        `envconfig:"STATE_DIR" default:"${TMPDIR}/smsbridge" desc:"folder for local caches of internal topics, which may be deleted at any time"`
	ShutdownGrace time.Duration `envconfig:"SHUTDOWN_GRACE" default:"25s" min:"1s" max:"1h" desc:"time for work in flight after a stop signal; longer than PROVIDER_TIMEOUT"`
}
